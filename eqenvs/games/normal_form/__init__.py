"""Games in normal form, defined by payoff tensors."""
