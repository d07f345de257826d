"""`python -m services.jobs api` or `… ledger`."""

import sys

from services.jobs import api, ledger
from services.jobs.settings import Settings
from shared.lifecycle import run_process

PROCESSES = {"api": ("jobs-api", api.running), "ledger": ("ledger", ledger.running)}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PROCESSES:
        sys.exit(f"usage: python -m services.jobs {'|'.join(PROCESSES)}")
    name, running = PROCESSES[sys.argv[1]]
    run_process(name, Settings.read(), running)
