"""Things that eqenvs finds by the entry points of this package."""
