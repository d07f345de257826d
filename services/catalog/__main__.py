"""`python -m services.catalog gateway`, `… relay` or `… worker`."""

import sys

from services.catalog.settings import GatewaySettings, Settings, WorkerSettings
from shared.lifecycle import run_process


def main(arguments: list[str]) -> None:
    """Run one process; each imports only what it runs."""
    match arguments:
        case ["gateway"]:
            from services.catalog import gateway

            run_process("gateway", GatewaySettings.read(), gateway.running)
        case ["relay"]:
            from services.catalog import relay

            run_process("relay", Settings.read(), relay.running)
        case ["worker"]:
            from services.catalog import worker

            run_process("catalog-worker", WorkerSettings.read(), worker.running)
        case _:
            print("Say which process: python -m services.catalog gateway|relay|worker", file=sys.stderr)  # noqa: T201
            sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
