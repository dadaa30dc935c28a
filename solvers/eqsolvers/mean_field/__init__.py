"""Solvers for mean-field games, one method per file."""
