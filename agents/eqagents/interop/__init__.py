"""Other learning libraries on the games here, and what they have learned as joint policies here.

Each module is one library's; none of them is imported by anything else in eqenvs. A policy adapter is a
`BehaviourPolicy`: `export_policy` writes it as a policy file, which `eqenvs evaluate` scores. Checkpoints are read by
the library that wrote them, and many are pickles: load those only from where you would run a program from.
"""
