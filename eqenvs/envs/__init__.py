"""Environments over any game's rules: PettingZoo AEC and Parallel, and the batched simulator."""

from eqenvs.envs.aec import GameAECEnv
from eqenvs.envs.parallel import GameParallelEnv
from eqenvs.envs.vector import VectorEnv, VectorStep

__all__ = ["GameAECEnv", "GameParallelEnv", "VectorEnv", "VectorStep"]
