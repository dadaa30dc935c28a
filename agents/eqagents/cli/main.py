"""Entry point of the `eqenvs` command."""

from __future__ import annotations

import os


def main() -> None:
    """Fix the number of BLAS threads, then run the command.

    One thread, as on the workers: results then do not depend on how many cores the driver has, and small networks and
    vectors are faster so. BLAS reads the variable when numpy is imported, so it is set before anything else is.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from eqagents.cli.app import run

    run()


if __name__ == "__main__":
    main()
