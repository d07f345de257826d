"""Every fault as data: what is done, how it is mended, and how soon all must go on. Tests and soak draw from here."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final
from uuid import UUID

import aiohttp

from services.jobs.quarantine.usecases import CRASHES_TO_PARK, KILLED_ITS_WORKER
from shared.ids import new_id
from shared.messaging.topology import DISPATCH_QUEUE, EVENTS, JOBS, LEDGER_QUEUE
from tests.e2e.marketplace import Shop
from tests.eventually import eventually
from tests.faults.failpoints import FAILPOINTS, POISON, POISONED
from tests.faults.stand import PROCESSES, Stand
from tests.faults.verdict import Allowed

RECOVERY_SECONDS: Final = 5.0
"""Stated: consuming again so soon after everything below is well."""
RESCUE_SECONDS: Final = 60.0
"""Stated: every accepted job in a final state so soon after the broker is back."""
TOLERANCE: Final = 4.0
"""Tests assert the stated figures times this: they share two cores with other tests."""

NOTHING: Final = Allowed()

Step = Callable[[Stand, Random], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`inject` hurts, `heal` mends and returns when what it mended is well. Both draw their chances from the seed."""

    name: str
    inject: Step
    heal: Step
    held_seconds: tuple[float, float] = (0.0, 0.0)
    """How long it lasts: between these, by chance."""
    allowed: Allowed = NOTHING
    recovery_seconds: float = RECOVERY_SECONDS
    settled_seconds: float = RESCUE_SECONDS
    restarts: tuple[int, ...] = (0,)
    """How many processes may be started anew by it: no other may die of it."""
    is_answered: bool = True
    """Whether every request has a good answer meanwhile."""
    is_quick: bool = False
    """Whether it is in `make test`."""
    is_of_replica: bool = False
    """Whether it hurts a process beside which others do the same, or that no answer needs."""


async def nothing(_: Stand, __: Random) -> None:
    """Nothing to mend: the supervisor does it."""


# -- processes ---------------------------------------------------------------------------------------


def _send(process: str, number: signal.Signals) -> Step:
    async def inject(stand: Stand, _: Random) -> None:
        await eventually(lambda: stand.process(process).pid, 30)
        stand.hurt(process, number)

    return inject


def _mail_of(process: str) -> Allowed:
    """Killed between the mail server's 250 and its row, the notifier sends that mail again."""
    return Allowed(mail=process == "notifier")


ANSWERING: Final = frozenset({"gateway", "jobs-api"})
THE_ONLY: Final = "jobs-api"
"""A soak has two gateways, but one of these before its answers."""
BACKLOGGED: Final = ("relay", "ledger", "notifier", "imaging")
QUICK_KILLS: Final = frozenset({"gateway", "relay", "ledger", "notifier", "imaging"})


def _of_process(process: str) -> tuple[Fault, ...]:
    return (
        Fault(
            f"kill {process}",
            _send(process, signal.SIGKILL),
            nothing,
            allowed=_mail_of(process),
            restarts=(1,),
            is_answered=process not in ANSWERING,
            is_of_replica=process != THE_ONLY,
            is_quick=process in QUICK_KILLS,
        ),
        Fault(
            f"terminate {process}",
            _send(process, signal.SIGTERM),
            nothing,
            restarts=(1,),
            is_answered=process not in ANSWERING,
            is_of_replica=process != THE_ONLY,
            is_quick=process == "notifier",
        ),
        Fault(
            f"freeze {process}",
            _send(process, signal.SIGSTOP),
            _send(process, signal.SIGCONT),
            held_seconds=(1.0, 6.0),
            allowed=Allowed(mail=process == "notifier", live_mail=process == "notifier"),
            is_answered=process not in ANSWERING,
            is_of_replica=process != THE_ONLY,
        ),
    )


def _with_backlog(process: str) -> Fault:
    """Work gathers before it; it is killed in the midst of taking that up."""

    async def heal(stand: Stand, random: Random) -> None:
        stand.hurt(process, signal.SIGCONT)
        await asyncio.sleep(random.uniform(0.0, 0.5))
        stand.hurt(process, signal.SIGKILL)

    return Fault(
        f"kill {process} with a backlog",
        _send(process, signal.SIGSTOP),
        heal,
        held_seconds=(2.0, 4.0),
        allowed=_mail_of(process),
        restarts=(1,),
        is_of_replica=True,
    )


def _failpoint(process: str, name: str) -> Fault:
    async def inject(stand: Stand, _: Random) -> None:
        stand.arm(process, name)
        if name == "publish-retry":
            await stand.refuse_mail([stand.run.accounts.vendors[0].email])

    async def heal(stand: Stand, _: Random) -> None:
        """It has died there."""
        await eventually(lambda: not stand.is_armed(process, name), 30)
        if name == "publish-retry":
            await stand.refuse_mail([])

    return Fault(
        f"{process} dies before: {name}",
        inject,
        heal,
        allowed=Allowed(mail=process == "notifier", failures=name == "publish-retry"),
        restarts=(1,),
        is_answered=process not in ANSWERING,
        is_of_replica=process != THE_ONLY,
        is_quick=(process, name) in {("notifier", "ack"), ("notifier", "report-mail")},
    )


# -- servers -----------------------------------------------------------------------------------------


async def _kill_server(stand: Stand, _: Random, *, name: str, is_wiped: bool = False) -> None:
    """Kill it, and return when it is back: with the supervisor held, there is time to throw its data away."""
    killed = stand.server_pid(name)
    with stand.held(stand.run.supervisor) if is_wiped else nullcontext():
        stand.kill_server(name)
        if is_wiped:
            await asyncio.sleep(0.5)  # the kernel is still closing its files
            stand.wipe_broker()
    await stand.server_back(name, killed)


async def _freeze_broker(stand: Stand, _: Random) -> None:
    stand.hurt_server("rabbitmq", signal.SIGSTOP)


async def _thaw_broker(stand: Stand, _: Random) -> None:
    stand.hurt_server("rabbitmq", signal.SIGCONT)


async def _limit_memory(stand: Stand, _: Random, *, share: float) -> None:
    await stand.set_memory_limit(share)


async def _limit_disk(stand: Stand, _: Random, *, free: str) -> None:
    await stand.set_disk_limit(free)


async def _delete_queue(stand: Stand, random: Random, *, among: tuple[str, ...]) -> None:
    await stand.delete_queue(random.choice(among))


async def _unbind(stand: Stand, random: Random, *, among: tuple[tuple[str, str], ...]) -> None:
    await stand.delete_bindings(*random.choice(among))


async def _refuse_vendor(stand: Stand, _: Random) -> None:
    await stand.refuse_mail([stand.run.accounts.vendors[0].email])


async def _accept_vendor(stand: Stand, _: Random) -> None:
    await stand.refuse_mail([])


async def _send_unreadable(stand: Stand, _: Random) -> None:
    """Messages that no consumer can read: they must harm nobody else."""
    for type_ in ("send-email", "send-notification", "process-image"):
        await stand.publish(JOBS, f"{type_}.p3", "no job", {"delivery_mode": 2, "priority": 3})


SERVERS: Final = (
    Fault("kill the broker", partial(_kill_server, name="rabbitmq"), nothing, is_quick=True),
    Fault("wipe the broker", partial(_kill_server, name="rabbitmq", is_wiped=True), nothing),
    Fault("freeze the broker", _freeze_broker, _thaw_broker, held_seconds=(3.0, 12.0), allowed=Allowed(live_mail=True)),
    Fault(
        "memory alarm",
        partial(_limit_memory, share=0.000001),
        partial(_limit_memory, share=0.4),
        held_seconds=(3.0, 8.0),
    ),
    Fault(
        "disk alarm",
        partial(_limit_disk, free="1000000GB"),
        partial(_limit_disk, free="50MB"),
        held_seconds=(3.0, 8.0),
        # The broker looks at its disk every ten seconds.
        recovery_seconds=15.0,
    ),
    Fault(
        "kill the database",
        partial(_kill_server, name="postgres"),
        nothing,
        allowed=Allowed(mail=True, failures=True),
        is_answered=False,
        is_quick=True,
    ),
    Fault(
        "delete a work queue",
        partial(_delete_queue, among=("jobs.send-email", "jobs.send-notification", "jobs.process-image")),
        nothing,
    ),
    Fault("delete a queue of events", partial(_delete_queue, among=(DISPATCH_QUEUE, "events.catalog")), nothing),
    Fault("delete the queue of reports", partial(_delete_queue, among=(LEDGER_QUEUE,)), nothing),
    Fault(
        "delete a binding of a work queue",
        partial(_unbind, among=((JOBS, "jobs.send-notification"), (JOBS, "jobs.process-image"))),
        nothing,
    ),
    Fault(
        "delete a binding of events",
        partial(_unbind, among=((EVENTS, DISPATCH_QUEUE), (EVENTS, "events.catalog"))),
        nothing,
        # Found by the next look at the topology, 20 s later at most.
        recovery_seconds=30.0,
    ),
    Fault(
        "a full mailbox",
        _refuse_vendor,
        _accept_vendor,
        held_seconds=(1.0, 3.0),
        allowed=Allowed(failures=True),
    ),
    Fault("unreadable messages", _send_unreadable, nothing, is_quick=True),
)


# -- a job that kills --------------------------------------------------------------------------------

CRASHES: Final = """
    SELECT outcome, count(*) AS n FROM jobs.history WHERE job_id = $1 AND outcome IN ('suspected', 'crashed', 'parked')
    GROUP BY outcome
"""
NEIGHBOURS: Final = """
    SELECT count(*) FILTER (WHERE finished_at IS NULL AND state <> 'scheduled') AS unfinished,
           count(*) FILTER (WHERE attempt > 1) AS charged
    FROM jobs.jobs WHERE created_at BETWEEN (SELECT created_at FROM jobs.jobs WHERE id = $1)
                                        AND (SELECT finished_at FROM jobs.jobs WHERE id = $1)
"""


def _poison_job() -> Fault:
    """One job kills every notifier that runs it: it is parked after three crashes of its own."""
    entered: list[UUID] = []

    async def inject(stand: Stand, _: Random) -> None:
        stand.arm("notifier", POISONED.name)
        params = {"product_id": str(new_id()), "title": POISON}
        body = {
            "type": "send-notification",
            "payload": {"kind": "product_submitted", "audience": {"kind": "admins"}, "params": params},
        }
        async with aiohttp.ClientSession() as http:
            answer = await Shop(stand, http).post_once("ops", "/api/admin/jobs/enqueue", json=body)
        entered.append(UUID(answer.get("job", answer)["id"]))

    async def heal(stand: Stand, _: Random) -> None:
        """It is parked, its crashes are counted, and no job of its time has had to pay for it."""
        job_id = entered.pop()

        async def is_parked() -> bool:
            conn = await stand.database()
            try:
                row = await conn.fetchrow("SELECT state, attempt, error_class FROM jobs.jobs WHERE id = $1", job_id)
                assert row is not None
                assert tuple(row) == ("failed", 1, KILLED_ITS_WORKER)
                counted = {each["outcome"]: each["n"] for each in await conn.fetch(CRASHES, job_id)}
                assert counted["crashed"] + counted["parked"] == CRASHES_TO_PARK, counted
                neighbours = await conn.fetchrow(NEIGHBOURS, job_id)
                assert neighbours is not None
                assert tuple(neighbours) == (0, 0)
            finally:
                await conn.close()
            return True

        await eventually(is_parked, TOLERANCE * RESCUE_SECONDS, every=0.1)
        stand.disarm()

    return Fault(
        "poison job",
        inject,
        heal,
        allowed=Allowed(mail=True),
        restarts=(CRASHES_TO_PARK, CRASHES_TO_PARK + 1, CRASHES_TO_PARK + 2),
        is_of_replica=True,
    )


PROCESS_FAULTS: Final = tuple(fault for process in PROCESSES for fault in _of_process(process))
FAILPOINT_FAULTS: Final = tuple(
    _failpoint(process, failpoint.name) for failpoint in FAILPOINTS for process in failpoint.processes
)
BACKLOG_FAULTS: Final = tuple(map(_with_backlog, BACKLOGGED))
FAULTS: Final = (*PROCESS_FAULTS, *BACKLOG_FAULTS, *SERVERS, *FAILPOINT_FAULTS, _poison_job())
BY_NAME: Final = {fault.name: fault for fault in FAULTS}
