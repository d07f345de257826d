"""Places in the code at which a process kills itself when a test has asked for it. They exist under tests/ only.

`launch.py` wraps the named functions. A failpoint is armed by a file, is gone once it was reached (one that `lasts` is
not), and costs one look for that file otherwise.
"""

import asyncio
import inspect
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any


class Moment(Enum):
    """When the process dies."""

    BEFORE = "before"
    SENT = "sent"
    """The call has begun and what it says is on its way; its answer is never read."""
    AFTER = "after"


def always(*_: Any) -> bool:
    """Every call counts."""
    return True


@dataclass(frozen=True, slots=True)
class Failpoint:
    """`target` is `module:function` or `module:Class.method`; `counts` gets the call's positional arguments."""

    name: str
    processes: tuple[str, ...]
    target: str
    moment: Moment
    counts: Callable[..., bool] = always
    lasts: bool = False
    """Whether it stays armed: every process that gets there dies, until the test takes it back."""


def _marks_sent(_: Any, query: str, *__: Any) -> bool:
    return "SET sent_at" in query


def _tells_done(_: Any, report: Any, *__: Any) -> bool:
    return bool(report.outcome == "completed")


def _tells_mailed(_: Any, report: Any, *__: Any) -> bool:
    return bool(report.outcome == "completed" and report.job_type == "send-email")


def _is_poison(job: Any, *_: Any) -> bool:
    return bool(job.params.get("title") == POISON)


def _has_jobs(_: Any, jobs: Any, *__: Any) -> bool:
    return bool(jobs)


COMMIT = "asyncpg.transaction:Transaction._Transaction__commit"
"""What `async with conn.transaction()` ends with; its public `commit` is another way to it."""
POISON = "Poison"
"""The title in a job that kills every process that runs it."""
SUBMIT = "shared.messaging.reporter:Reporter.submit"
"""What an attempt's report is handed over with."""
FAILPOINTS = (
    Failpoint("answer", ("gateway",), COMMIT, Moment.AFTER),
    Failpoint("commit", ("gateway", "ledger"), COMMIT, Moment.SENT),
    Failpoint("mark-sent", ("relay",), "asyncpg.connection:Connection.execute", Moment.BEFORE, _marks_sent),
    Failpoint("publish-jobs", ("ledger",), "services.jobs.publishing:JobPublisher.publish", Moment.BEFORE, _has_jobs),
    Failpoint("mark-published", ("ledger",), "services.jobs.store:Ledger.mark_published", Moment.BEFORE),
    Failpoint("ack", ("ledger", "notifier", "imaging"), "shared.messaging.acks:Acks.finished", Moment.BEFORE),
    Failpoint("report", ("notifier", "imaging"), SUBMIT, Moment.BEFORE, _tells_done),
    Failpoint("report-mail", ("notifier",), SUBMIT, Moment.BEFORE, _tells_mailed),
    Failpoint("publish-retry", ("notifier",), "shared.messaging.work:JobMessage.publish_retry", Moment.BEFORE),
    Failpoint("note-mail", ("notifier",), "services.notifier.store:record_delivery", Moment.BEFORE),
    Failpoint("tell-catalog", ("imaging",), "services.imaging.handlers:render_image", Moment.AFTER),
)
"""Each is named for what does not happen any more."""
POISONED = Failpoint(
    "poison", ("notifier",), "services.notifier.handlers:send_notification", Moment.BEFORE, _is_poison, lasts=True
)


def switch(folder: Path, process: str, name: str) -> Path:
    """The file that arms a failpoint of one process."""
    return folder / process / name


def install(failpoint: Failpoint, armed: Path) -> None:
    """Wrap the function where its callers look it up."""
    module_name, _, path = failpoint.target.partition(":")
    *owners, attribute = path.split(".")
    owner: Any = import_module(module_name)
    for name in owners:
        owner = getattr(owner, name)
    setattr(owner, attribute, _deadly(getattr(owner, attribute), failpoint, armed))


def _deadly(call: Callable[..., Any], failpoint: Failpoint, armed: Path) -> Callable[..., Any]:
    @wraps(call)
    def reached(*arguments: Any, **named: Any) -> Any:
        if not (armed.exists() and failpoint.counts(*arguments)):
            return call(*arguments, **named)
        if failpoint.moment is Moment.BEFORE:
            die()
        outcome = call(*arguments, **named)
        if not inspect.isawaitable(outcome):
            die()
        return (_sent if failpoint.moment is Moment.SENT else _after)(outcome, die)

    def die() -> None:
        if not failpoint.lasts:
            armed.unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)

    return reached


async def _after(outcome: Awaitable[object], die: Callable[[], None]) -> None:
    await outcome
    die()


async def _sent(outcome: Awaitable[object], die: Callable[[], None]) -> None:
    under_way = asyncio.ensure_future(outcome)
    await asyncio.sleep(0)
    die()
    under_way.cancel()  # never reached
