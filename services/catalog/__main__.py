"""`python -m services.catalog gateway`, `… relay` or `… worker`."""

import sys

from services.catalog.settings import GatewaySettings, Settings, WorkerSettings
from shared.lifecycle import run_process


def main(arguments: list[str]) -> None:
    """Run one process; each imports only what it runs."""
    match arguments:
        case ["gateway"]:
            from services.catalog.gateway import running as gateway

            run_process("gateway", GatewaySettings.read(), gateway)
        case ["relay"]:
            from services.catalog.relay import running as relay

            run_process("relay", Settings.read(), relay)
        case ["worker"]:
            from services.catalog.worker import running as worker

            run_process("catalog-worker", WorkerSettings.read(), worker)
        case _:
            print("Say which process: python -m services.catalog gateway|relay|worker", file=sys.stderr)  # noqa: T201
            sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
