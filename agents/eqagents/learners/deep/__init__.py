"""Learners with networks, trained on batched play: one file each, which says its loss and how it differs."""
