"""The scheduler's process: `python -m services.scheduler`."""

import sys

from services.scheduler.app import running
from services.scheduler.errors import ScheduleInvalid
from services.scheduler.settings import Settings
from shared.lifecycle import run_process

if __name__ == "__main__":
    try:
        run_process("scheduler", Settings.read(), running)
    except ScheduleInvalid as exc:
        sys.exit(str(exc))
