"""Leaderboards: learners x games x seeds from one configuration, as ordinary runs, and the statistics over them."""
