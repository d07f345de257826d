"""The `souk` command.

Exit codes: 0 done, 1 not found, refused, or something is not as it should be, 2 wrong usage, 3 a service is away,
4 a stack already runs, 130 interrupted.
Results go to standard output, progress and complaints to standard error.
"""

import sys


def main() -> None:
    """Entry point. The commands are imported here, so that a Ctrl-C meanwhile is no traceback either."""
    try:
        from deploy.cli.app import app

        app(prog_name="souk")
    except KeyboardInterrupt:
        sys.exit(130)
