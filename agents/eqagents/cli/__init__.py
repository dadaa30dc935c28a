"""The `eqenvs` command."""
