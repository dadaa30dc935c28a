"""No-regret learners over batches of simplices, one file each, and their self-play as solvers."""
