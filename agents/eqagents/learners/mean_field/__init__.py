"""Learners of mean-field games from the play of finitely many agents; every one of them is scored in the limit."""
