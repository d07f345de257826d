"""The query and the answer of activity."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from services.jobs.activity.models import STEPS, Span, Step
from shared.web.bodies import Query


class ActivityQuery(Query):
    """How far back, and of which type; without one of all."""

    span: Span = Span.HOUR
    type: Annotated[str, Field(max_length=100)] | None = None


class StepShown(TypedDict):
    """A stretch of time: jobs that ended, attempts made again, and mean and longest times in milliseconds.

    `wait_ms` is from when a job could begin until it did, `run_ms` of attempts; null where there was none.
    """

    at: datetime
    completed: int
    failed: int
    cancelled: int
    retried: int
    begun: int
    wait_ms: int | None
    longest_wait_ms: int | None
    run_ms: int | None
    longest_run_ms: int | None


class ActivityShown(TypedDict):
    """The steps of a span, oldest first; the last one goes on."""

    span: Span
    step_seconds: int
    items: Sequence[StepShown]


def activity_shown(span: Span, steps: Sequence[Step]) -> ActivityShown:
    """The answer."""
    length = int(STEPS[span][1].total_seconds())
    return {"span": span, "step_seconds": length, "items": list(map(_step_shown, steps))}


def _step_shown(step: Step) -> StepShown:
    tally = step.tally
    return {
        "at": step.at,
        "completed": tally.completed,
        "failed": tally.failed,
        "cancelled": tally.cancelled,
        "retried": tally.retried,
        "begun": tally.begun,
        "wait_ms": round(tally.waited_ms / tally.begun) if tally.begun else None,
        "longest_wait_ms": tally.longest_wait_ms if tally.begun else None,
        "run_ms": round(tally.ran_ms / tally.attempts) if tally.attempts else None,
        "longest_run_ms": tally.longest_run_ms if tally.attempts else None,
    }
