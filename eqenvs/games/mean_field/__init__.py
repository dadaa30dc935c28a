"""Mean-field games, one file each."""
