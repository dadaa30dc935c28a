"""Runs: their configuration, the loop, and the directory with metrics, checkpoints and score."""
