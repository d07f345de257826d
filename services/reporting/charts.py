"""Charts as inline SVG: where each mark goes. `templates/chart.svg.jinja` draws it, the page's style colours it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from services.reporting.document import Chart

WIDTH: Final = 480
"""All lengths are units of the view box; the picture is as wide as its page lets it be."""
COLUMNS_HEIGHT: Final = 220
TOP, RIGHT, BOTTOM, LEFT = 10, 8, 28, 48
BAR_PITCH: Final = 40
BAR_THICKNESS: Final = 12
ROOM_FOR_NUMBER: Final = 90
MAX_LABELS: Final = 6
"""More names than these along the time axis would run into each other."""
TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """One rectangle. `series` counts from 0 and picks the colour; `says` is read out and shown on hover."""

    x: float
    y: float
    width: float
    height: float
    series: int
    says: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a place; `anchor` is where the place is in it."""

    x: float
    y: float
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart's marks, lines and texts. `lines` are the heights of the grid's, from `left` to the right edge."""

    chart: Chart
    width: int
    height: int
    marks: tuple[Mark, ...]
    lines: tuple[float, ...]
    labels: tuple[Label, ...]
    left: int = LEFT


def drawing_of(chart: Chart) -> Drawing:
    """Place everything of a chart. Values below zero are drawn as zero."""
    return _columns(chart) if chart.kind == "columns" else _bars(chart)


def ticks_for(highest: Decimal) -> list[Decimal]:
    """Round numbers from zero to at least `highest`, some four steps apart by 1, 2 or 5 times a power of ten."""
    if highest <= 0:
        return [Decimal(0), Decimal(1)]
    rough = highest / TICKS
    power = Decimal(1).scaleb(rough.adjusted())
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    count = math.ceil(highest / step)
    return [step * number for number in range(count + 1)]


def _columns(chart: Chart) -> Drawing:
    ticks = ticks_for(max(_sums(chart), default=Decimal(0)))
    depth = COLUMNS_HEIGHT - TOP - BOTTOM
    pitch = (WIDTH - LEFT - RIGHT) / max(len(chart.labels), 1)
    width = max(pitch * 0.72, 0.8)

    def height_of(value: Decimal) -> float:
        return float(max(value, Decimal(0)) / ticks[-1]) * depth

    marks = []
    for place, label in enumerate(chart.labels):
        floor = float(COLUMNS_HEIGHT - BOTTOM)
        for number, value in _stack(chart, place):
            height = height_of(value)
            floor -= height
            x = LEFT + place * pitch + (pitch - width) / 2
            marks.append(Mark(x, floor, width, height, number, _says(chart, number, label, value)))
    lines = tuple(COLUMNS_HEIGHT - BOTTOM - height_of(tick) for tick in ticks)
    labels = [Label(LEFT - 8, y + 4, _short(tick), "end") for y, tick in zip(lines, ticks, strict=True)]
    every = -(-len(chart.labels) // MAX_LABELS)
    labels += [
        Label(LEFT + (place + 0.5) * pitch, COLUMNS_HEIGHT - 8, label, "middle")
        for place, label in enumerate(chart.labels)
        if place % every == 0
    ]
    return Drawing(chart, WIDTH, COLUMNS_HEIGHT, tuple(marks), lines, tuple(labels))


def _bars(chart: Chart) -> Drawing:
    highest = max(_sums(chart), default=Decimal(0)) or Decimal(1)
    marks, labels = [], []
    for place, label in enumerate(chart.labels):
        top = place * BAR_PITCH
        labels.append(Label(0, top + 14, label, "start"))
        x = 0.0
        for number, value in _stack(chart, place):
            width = float(max(value, Decimal(0)) / highest) * (WIDTH - ROOM_FOR_NUMBER)
            marks.append(Mark(x, top + 21, width, BAR_THICKNESS, number, _says(chart, number, label, value)))
            x += width
        labels.append(Label(x + 8, top + 32, f"{sum(v for _, v in _stack(chart, place)):,}", "start"))
    return Drawing(chart, WIDTH, len(chart.labels) * BAR_PITCH, tuple(marks), (), tuple(labels))


def _stack(chart: Chart, place: int) -> Iterator[tuple[int, Decimal]]:
    return ((number, series.values[place]) for number, series in enumerate(chart.series))


def _sums(chart: Chart) -> Sequence[Decimal]:
    return [sum((value for _, value in _stack(chart, place)), Decimal(0)) for place in range(len(chart.labels))]


def _says(chart: Chart, number: int, label: str, value: Decimal) -> str:
    name = f"{chart.series[number].name}, " if len(chart.series) > 1 else ""
    return f"{name}{label}: {value:,}{chart.unit and ' '}{chart.unit}"


def _short(number: Decimal) -> str:
    """A tick's number in a few characters: 1,500 is 1.5k."""
    for size, suffix in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{(number / size).normalize():f}{suffix}"
    return f"{number.normalize():f}"
