"""What became of the mails of an hour: `measures.recorded` of the notifier."""

from datetime import datetime

from services.notifier import store
from shared.contracts.events import Measure
from shared.db.pool import Connection


async def measures(conn: Connection, begun: datetime, ended: datetime) -> list[Measure]:
    """Mails that the server took, and those that it refused for good."""
    return [
        Measure(name=f"mails_{outcome}", count=count)
        for outcome, count in await store.answered(conn, since=begun, until=ended)
    ]
