"""The reporting process: `python -m services.reporting`."""

from services.reporting.app import running
from services.reporting.settings import Settings
from shared.lifecycle import run_process

if __name__ == "__main__":
    run_process("reporting", Settings.read(), running)
