"""Solvers of normal-form games, one file each."""
