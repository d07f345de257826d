"""The `souk` command.

Exit codes: 0 done, 1 it failed or something is not ready, 2 wrong usage, 3 a stack already runs, 130 interrupted.
Results go to standard output, progress and complaints to standard error.
"""

from deploy.cli.app import main

__all__ = ["main"]
