"""Learner agents, their policies, and the runtime that trains them.

`learners` and `oracles` hold one file per algorithm; `distributed` schedules pure work and is the only importer of ray;
`training` turns a configuration into a run directory; `cli` is the `eqenvs` command.
"""
