"""The scheduler's process: `python -m services.scheduler`."""

from services.scheduler.app import running
from services.scheduler.settings import Settings
from shared.lifecycle import run_process

if __name__ == "__main__":
    run_process("scheduler", Settings.read(), running)
