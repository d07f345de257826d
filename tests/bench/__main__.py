"""`make bench [ROWS="drain latency"]`: rows on private servers, as a table."""

import os
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench import connections, drain, enqueue, gateway, hits, idle, latency, midnight, path, scale
from tests.bench.figures import Figure
from tests.bench.stage import Stage, staged
from tests.servers import Broker, Databases, Servers

ROWS: dict[str, Callable[[Stage], Awaitable[list[Figure]]]] = {
    "drain": drain.measure,
    "enqueue": enqueue.measure,
    "path": path.measure,
    "latency": latency.measure,
    "midnight": midnight.measure,
    "gateway": gateway.measure,
    "connections": connections.measure,
    "hits": hits.measure,
    "idle": idle.measure,
    "products": scale.products,
    "jobs": scale.jobs,
}


def main(wanted: list[str]) -> int:
    """Start the servers, measure, print. A figure below what it must be is marked, not failed: machines differ."""
    if unknown := set(wanted) - set(ROWS):
        print(f"no such rows: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    servers, figures, begun = Servers(), list[Figure](), time.monotonic()
    before = os.getloadavg()[0]
    try:
        databases, broker = servers.get("database"), servers.get("broker")
        if not isinstance(databases, Databases) or not isinstance(broker, Broker):
            print(f"no servers to measure on: {databases} {broker}", file=sys.stderr)
            return 2
        for name in wanted or ROWS:
            figures += uvloop.run(_row(name, databases, broker))
    finally:
        servers.stop()
    console = Console(width=170)
    console.print(_table(figures))
    state = "quiet" if before < 0.5 else "busy: ratios suffer less than figures"
    console.print(
        f"{os.cpu_count()} cores, load {before:.2f} before the run ({state}); {time.monotonic() - begun:.0f} s"
    )
    return 0


async def _row(name: str, databases: Databases, broker: Broker) -> list[Figure]:
    async with staged(databases, broker) as stage:
        return list(await ROWS[name](stage))


def _table(figures: list[Figure]) -> Table:
    table = Table(box=None, padding=(0, 2))
    for column in ("figure", "Souk", "peer", "result", "must"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for figure in figures:
        shown = f"{figure.value:.1f} {figure.unit}" if figure.unit else f"{figure.value:.2f}"
        limit = f"{'at most ' if figure.is_most else ''}{figure.must:g} {figure.unit}".strip()
        table.add_row(
            figure.name, figure.ours, figure.peer, Text(shown, style="green" if figure.holds else "red"), limit
        )
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
