"""Queues, and what is known of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shared.messaging.topology import CONTROL_STREAM, EVENT_STREAM, WORK, Queue

Kind = Literal["work", "retry", "dead", "events", "reports", "stream"]
_TYPES: Final = {work.name: work.type for work in WORK}


@dataclass(frozen=True, slots=True)
class BrokerFigures:
    """What RabbitMQ says of a queue: messages that wait, messages in consumers' hands, and its consumers."""

    ready: int
    unacked: int
    consumers: int


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue of the topology. `figures` is None where the broker did not tell.

    `oldest_seconds` is how long the oldest due job of a work queue has waited, by the ledger; None for others.
    """

    name: str
    kind: Kind
    type: str | None
    figures: BrokerFigures | None
    oldest_seconds: float | None


def viewed(
    queues: Sequence[Queue], figures: Mapping[str, BrokerFigures], oldest: Mapping[str, float]
) -> list[QueueView]:
    """The queues of the topology with what is known of each, in its order."""
    return [_viewed(queue.name, figures.get(queue.name), oldest) for queue in queues]


def _viewed(name: str, figures: BrokerFigures | None, oldest: Mapping[str, float]) -> QueueView:
    kind, job_type = _kind(name), _type(name)
    waited = oldest.get(job_type, 0.0) if kind == "work" and job_type is not None else None
    return QueueView(name, kind, job_type, figures, waited)


def _kind(name: str) -> Kind:
    if name.endswith(".dead"):
        return "dead"
    if ".retry." in name:
        return "retry"
    if name in (EVENT_STREAM, CONTROL_STREAM):
        return "stream"
    if name.startswith("events."):
        return "events"
    return "work" if _type(name) is not None else "reports"


def _type(name: str) -> str | None:
    """The type of the jobs in a queue: `jobs.send-email`, `jobs.send-email.p1`, `jobs.send-email.retry.10s`."""
    return next((kind for queue, kind in _TYPES.items() if name == queue or name.startswith(f"{queue}.")), None)
