"""Charts of the job board: where bars and lines are, for the templates to draw. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.catalog.pages.board.models import Step
from services.catalog.pages.board.wording import clock_time, duration

WIDTH: Final = 720.0
HEIGHT: Final = 96.0
_GAP: Final = 0.18
_CEILINGS: Final = (1, 2, 4, 5, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time: its jobs that were done, and above them those that failed."""

    x: float
    width: float
    done_y: float
    done_height: float
    failed_y: float
    failed_height: float
    title: str


@dataclass(frozen=True, slots=True)
class Throughput:
    """Jobs that ended, over time."""

    bars: Sequence[Bar]
    top: int
    completed: int
    failed: int
    retried: int


@dataclass(frozen=True, slots=True)
class Times:
    """Mean waits and run times over time, each in stretches without a gap; the points are those of a polyline."""

    waits: Sequence[str]
    runs: Sequence[str]
    top: str
    wait: str
    run: str
    longest_wait: str
    longest_run: str


def throughput(steps: Sequence[Step]) -> Throughput:
    """The bars of a span."""
    top = _ceiling(max((step.completed + step.failed for step in steps), default=0))
    slot = WIDTH / max(len(steps), 1)
    return Throughput(
        bars=[_bar(step, index * slot, slot, top) for index, step in enumerate(steps) if step.completed or step.failed],
        top=top,
        completed=sum(step.completed for step in steps),
        failed=sum(step.failed for step in steps),
        retried=sum(step.retried for step in steps),
    )


def times(steps: Sequence[Step]) -> Times:
    """The lines of a span."""
    waits, runs = [step.wait_ms for step in steps], [step.run_ms for step in steps]
    top = _ceiling(max((value for value in (*waits, *runs) if value is not None), default=0))
    return Times(
        waits=_lines(waits, top),
        runs=_lines(runs, top),
        top=duration(top),
        wait=duration(_mean(waits)),
        run=duration(_mean(runs)),
        longest_wait=duration(max((step.longest_wait_ms or 0 for step in steps), default=0)),
        longest_run=duration(max((step.longest_run_ms or 0 for step in steps), default=0)),
    )


def axis(steps: Sequence[Step]) -> list[str]:
    """The times below a chart: where it begins, its middle, and now."""
    return [clock_time(steps[0].at), clock_time(steps[len(steps) // 2].at), "now"] if steps else []


def _bar(step: Step, x: float, slot: float, top: int) -> Bar:
    done, failed = HEIGHT * step.completed / top, HEIGHT * step.failed / top
    if step.failed:
        failed = max(failed, 2.0)  # one among thousands is still to be seen
    title = f"{clock_time(step.at)}: {step.completed:,} done, {step.failed:,} failed"
    return Bar(
        x=round(x + slot * _GAP / 2, 2),
        width=round(slot * (1 - _GAP), 2),
        done_y=round(HEIGHT - done, 2),
        done_height=round(done, 2),
        failed_y=round(max(0.0, HEIGHT - done - failed), 2),
        failed_height=round(failed, 2),
        title=title,
    )


def _lines(values: Sequence[int | None], top: int) -> list[str]:
    """Points of each stretch; one value alone is drawn as a short dash."""
    slot = WIDTH / max(len(values), 1)
    lines: list[list[tuple[float, float]]] = []
    was_there = False
    for index, value in enumerate(values):
        if value is not None:
            if not was_there:
                lines.append([])
            lines[-1].append((index * slot + slot / 2, HEIGHT - HEIGHT * value / top))
        was_there = value is not None
    for line in lines:
        if len(line) == 1:
            (x, y) = line[0]
            line[:] = [(x - slot / 3, y), (x + slot / 3, y)]
    return [" ".join(f"{x:.1f},{y:.1f}" for x, y in line) for line in lines]


def _mean(values: Sequence[int | None]) -> int:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known)) if known else 0


def _ceiling(value: int) -> int:
    """The next round number that is no smaller: 1, 2, 4, 5 or 10 times a power of ten."""
    power = 1
    while power * 10 < value:
        power *= 10
    return next((power * step for step in _CEILINGS if power * step >= value), power * 10) or 1
