"""Souk with one of its guards taken out, to see that a fault test notices. Nothing here touches the source.

A guard is out for a process from its next start on, while its file is there (`Stand.without`).
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

WITHOUT: Final = "without-"
LATEST_COPY_SECONDS: Final = 2.0


def _replace(module: str, owner: str, name: str, by: Callable[[Any], Any]) -> None:
    """Put `by(what was there)` in the place of a function; `owner` is a class of the module, or empty."""
    place: Any = import_module(module)
    place = getattr(place, owner) if owner else place
    setattr(place, name, by(getattr(place, name)))


def without_confirm() -> None:
    """Publish and forget: whatever the broker says, the caller hears that it went well."""
    from shared.errors import Unavailable

    def forgetful(publish: Callable[..., Any]) -> Callable[..., Any]:
        async def publish_body(*arguments: Any, **named: Any) -> None:
            try:
                await publish(*arguments, **named)
            except Unavailable:
                return

        return publish_body

    _replace("shared.messaging.publisher", "Publisher", "publish_body", forgetful)


def without_mandatory() -> None:
    """Let the broker throw away what no binding takes, and say nothing."""

    def careless(publish: Callable[..., Any]) -> Callable[..., Any]:
        async def basic_publish(*arguments: Any, **named: Any) -> Any:
            return await publish(*arguments, **{**named, "mandatory": False})

        return basic_publish

    _replace("aiormq.channel", "Channel", "basic_publish", careless)


def without_rescuer() -> None:
    """Nobody looks for lost jobs."""
    _replace("services.jobs.rescue.rescuer", "Rescuer", "run_once", lambda _: _nothing)


def without_replay() -> None:
    """Nobody asks again for events that were announced and never came."""
    _replace("shared.db.gaps", "Gaps", "run_once", lambda _: _nothing)


def without_fence() -> None:
    """A report of a superseded copy counts as the newest does."""

    def gullible(after_report: Callable[..., Any]) -> Callable[..., Any]:
        def of_any_fence(job: Any, report: Any, **named: Any) -> Any:
            return after_report(job, report.model_copy(update={"fence": job.fence}), **named)

        return of_any_fence

    _replace("services.jobs.recorder", "", "after_report", gullible)


def without_record() -> None:
    """The notifier does not look whom it has mailed already."""

    async def nobody(*_: Any) -> frozenset[Any]:
        return frozenset()

    _replace("services.notifier.store", "", "sent_to", lambda _: nobody)


def without_once() -> None:
    """Publish everything once more a little later: all of it comes twice, and in another order."""
    from shared.errors import Unavailable

    def repeated(publish: Callable[..., Any]) -> Callable[..., Any]:
        under_way: set[asyncio.Task[None]] = set()

        async def again(*arguments: Any, **named: Any) -> None:
            await asyncio.sleep(random.uniform(0.0, LATEST_COPY_SECONDS))
            with suppress(Unavailable):
                await publish(*arguments, **named)

        async def publish_body(*arguments: Any, **named: Any) -> None:
            await publish(*arguments, **named)
            copy = asyncio.create_task(again(*arguments, **named))
            under_way.add(copy)
            copy.add_done_callback(under_way.discard)

        return publish_body

    _replace("shared.messaging.publisher", "Publisher", "publish_body", repeated)


async def _nothing(*_: Any) -> int:
    return 0


GUARDS: Final[Mapping[str, Callable[[], None]]] = {
    "confirm": without_confirm,
    "mandatory": without_mandatory,
    "rescuer": without_rescuer,
    "replay": without_replay,
    "fence": without_fence,
    "record": without_record,
    "once": without_once,
}
