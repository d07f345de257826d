"""`souk reports rebuild` on a real database."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app
from services.reporting.counting import Counting
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import open_pool
from shared.messaging.reader import Received
from tests.integration.reporting.factories import at, enveloped, make_cancellation, make_order
from tests.servers import Database


async def sold(url: str) -> None:
    """An order comes in and is taken back."""
    order = make_order(at("2026-03-01T09:00"))
    async with open_pool(url, name="test") as pool:
        counting = Counting(pool=pool, inbox=Inbox("reporting"), outbox=Outbox("reporting"))
        for event in (order, make_cancellation(order)):
            await counting.record([Received(enveloped(event), event)])


async def run(url: str, statement: str) -> object:
    async with open_pool(url, name="test") as pool:
        return await pool.fetchval(statement)


def test_figures_are_made_anew_or_it_is_said_why_not(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    url = database.url("reporting")
    monkeypatch.setenv("SOUK_REPORTING_DATABASE_URL", url)
    asyncio.run(sold(url))
    asyncio.run(run(url, "DELETE FROM reporting.cancellations"))  # as a mistake in the counting would leave it
    made = CliRunner().invoke(app, ["reports", "rebuild", "--json"])
    assert (made.exit_code, json.loads(made.stdout)) == (0, {"events": 2})
    assert asyncio.run(run(url, "SELECT count(*) FROM reporting.cancellations")) == 1
    asyncio.run(run(url, "DELETE FROM reporting.events"))
    refused = CliRunner().invoke(app, ["reports", "rebuild"])
    assert refused.exit_code == 1
    assert "No kept event tells of 1 of order lines, 1 of cancellations" in refused.stderr
    assert asyncio.run(run(url, "SELECT count(*) FROM reporting.order_lines")) == 1
