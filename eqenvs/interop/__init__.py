"""Games of other programs and of files, as games here, and the way back.

`eqenvs.make("openspiel:kuhn_poker(players=3)")`: what stands before the colon is a *scheme*, a module of this package
with a function `spec`; what stands after it is the scheme's to read. Such a game is like any other here; it is given as
data, so workers need nothing that it was read with.
"""
