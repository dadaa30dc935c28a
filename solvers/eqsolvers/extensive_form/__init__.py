"""Solvers of extensive-form games, one file each."""
