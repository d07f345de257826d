"""Queues as they are answered."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from services.jobs.queues.models import Kind, QueueView
from services.jobs.queues.usecases import Queues


class QueueShown(TypedDict):
    """A queue: what the broker says of it (null where it does not tell), and how long its oldest job has waited."""

    name: str
    kind: Kind
    type: str | None
    ready: int | None
    unacked: int | None
    consumers: int | None
    oldest_seconds: float | None


class QueuesShown(TypedDict):
    """All queues. `problem` says why the broker's figures are missing; `management` is the address of its pages."""

    items: Sequence[QueueShown]
    problem: str | None
    management: str | None
    next: None


def queues_shown(queues: Queues) -> QueuesShown:
    """The answer."""
    items = list(map(_queue_shown, queues.items))
    return {"items": items, "problem": queues.problem, "management": queues.pages, "next": None}


def _queue_shown(queue: QueueView) -> QueueShown:
    figures = queue.figures
    return {
        "name": queue.name,
        "kind": queue.kind,
        "type": queue.type,
        "ready": None if figures is None else figures.ready,
        "unacked": None if figures is None else figures.unacked,
        "consumers": None if figures is None else figures.consumers,
        "oldest_seconds": queue.oldest_seconds,
    }
