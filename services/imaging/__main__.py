"""`python -m services.imaging`."""

from services.imaging.app import running
from services.imaging.settings import Settings
from shared.lifecycle import run_process

if __name__ == "__main__":
    run_process("imaging", Settings.read(), running)
