"""`make bench`: every row, on private servers, as a table."""

import asyncio
import secrets
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench import drain
from tests.servers import Broker, Databases, Servers


def main() -> int:
    """Start the servers, measure, print. A figure below what it must be is marked, not failed: machines differ."""
    servers = Servers()
    try:
        databases, broker = servers.get("database"), servers.get("broker")
        if not isinstance(databases, Databases) or not isinstance(broker, Broker):
            print(f"no servers to measure on: {databases} {broker}", file=sys.stderr)
            return 2
        vhost = f"bench-{secrets.token_hex(4)}"
        broker.management.add_vhost(vhost)
        amqp_url = broker.amqp_url.rpartition("/")[0] + f"/{vhost}"
        figures = [asyncio.run(drain.measure(amqp_url, databases.service_urls["jobs"]))]
        broker.management.delete_vhost(vhost)
    finally:
        servers.stop()
    table = Table(box=None, padding=(0, 2))
    for column in ("figure", "Souk", "bare", "ratio", "must"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for figure in figures:
        table.add_row(figure.name, figure.ours, figure.bare, _marked(figure), f"{figure.must:.1f}")
    Console(width=160).print(table)
    return 0


def _marked(figure: drain.Figure) -> Text:
    return Text(f"{figure.ratio:.2f}", style="red" if figure.ratio < figure.must else "green")


if __name__ == "__main__":
    sys.exit(main())
