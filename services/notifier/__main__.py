"""`python -m services.notifier`."""

from services.notifier.app import running
from services.notifier.settings import Settings
from shared.lifecycle import run_process

if __name__ == "__main__":
    run_process("notifier", Settings.read(), running)
