"""Methods that learn a Markov game from play, one file each."""

from eqsolvers.markov.learning._experience import OnlineProcess
from eqsolvers.markov.learning._online import Told, online_method, online_methods, told_of

__all__ = ["OnlineProcess", "Told", "online_method", "online_methods", "told_of"]
