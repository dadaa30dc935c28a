"""Policy-space response oracles and their relatives."""
