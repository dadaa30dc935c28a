"""Games in extensive form, defined by batched rules."""
