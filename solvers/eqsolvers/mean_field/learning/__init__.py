"""Methods that learn a mean-field game from the experience of finitely many agents, one file each."""
