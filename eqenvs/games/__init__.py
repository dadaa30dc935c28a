"""The games, one file each, in a folder per family; `eqenvs.registry` finds them."""
