"""Whatever becomes of the link to the broker, everybody publishes and consumes again, and readiness tells meanwhile."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from tests.eventually import eventually
from tests.faults.conftest import Note
from tests.faults.line import ALLOWED_SECONDS, Line, running_line
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.servers import Database, Vhost

GHOST_SECONDS = 15.0
"""So long the broker may go on delivering to a consumer whose link is half-open: three heartbeats."""


@pytest.fixture
async def line(database: Database, vhost: Vhost) -> AsyncIterator[Line]:
    async with fault_proxy(vhost.amqp_url) as way, running_line(database, way) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Fault:
    """`begin` hurts the way and `end` heals it, once everybody has told of it where they can (`is_told`)."""

    name: str
    begin: Callable[[FaultProxy], None]
    end: Callable[[FaultProxy], None] | None = None
    is_told: bool = False
    is_long: bool = False
    ghosts_seconds: float = 0.0


FAULTS = (
    Fault("a lost connection", FaultProxy.reset),
    Fault("half-open links", FaultProxy.vanish, is_long=True, ghosts_seconds=GHOST_SECONDS),
    Fault("a broker that is away", FaultProxy.cut, is_told=True, is_long=True),
    Fault("a stalled link", FaultProxy.stall, FaultProxy.flow, is_told=True, is_long=True),
)
LONG = {False: (), True: (pytest.mark.long,)}


@pytest.mark.parametrize("fault", [pytest.param(each, id=each.name, marks=LONG[each.is_long]) for each in FAULTS])
async def test_all_that_is_sent_arrives_soon_after(line: Line, fault: Fault, note: Note) -> None:
    hurt_at = time.monotonic()
    fault.begin(line.way)
    if fault.is_told:

        async def all_tell() -> bool:
            return {"ledger", "reporting", "worker"} <= await line.unready()

        await eventually(all_tell, ALLOWED_SECONDS, every=0.05)
        note("told_after_seconds", time.monotonic() - hurt_at)
    if fault.end is not None:
        fault.end(line.way)
    await line.way.join()
    note("arrived_after_seconds", await line.carries(ALLOWED_SECONDS + fault.ghosts_seconds))
    await eventually(line.is_ready, ALLOWED_SECONDS)


async def test_half_open_links_are_given_up_and_opened_anew(line: Line, note: Note) -> None:
    """AMQP's own heartbeat takes over 18 s to see it."""
    links, hurt_at = line.way.standing, time.monotonic()
    line.way.vanish()

    async def all_are_back() -> bool:
        return line.way.opened >= 2 * links and await line.is_ready()

    await eventually(all_are_back, ALLOWED_SECONDS / 2, every=0.05)
    note("consuming_after_seconds", time.monotonic() - hurt_at)
