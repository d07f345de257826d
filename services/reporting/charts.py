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
WIDEST_COLUMN: Final = 56
BAR_PITCH: Final = 40
BAR_THICKNESS: Final = 12
ROOM_FOR_NUMBER: Final = 100
DOT: Final = 2.75
MAX_LABELS: Final = 6
"""More names than these along the time axis would run into each other."""
LONGEST_LABEL: Final = 42
"""Characters of a bar's name that fit beside nothing, also where letters are large; the rest is in its tooltip."""
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
    """A text at a place; `anchor` is where the place is in it. A strong one is a figure."""

    x: float
    y: float
    text: str
    anchor: str
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """The points of a line as far as it is not interrupted."""

    series: int
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart's marks, lines and texts. `lines` are the heights of the grid's, from `left` to the right edge.

    `dots` are the points of lines that can be hovered over.
    """

    chart: Chart
    width: int
    height: int
    marks: tuple[Mark, ...]
    lines: tuple[float, ...]
    labels: tuple[Label, ...]
    left: int = LEFT
    runs: tuple[Run, ...] = ()
    dots: tuple[Mark, ...] = ()


def drawing_of(chart: Chart) -> Drawing:
    """Place everything of a chart. Values below zero are drawn as zero."""
    match chart.kind:
        case "columns":
            return _columns(chart)
        case "line":
            return _line(chart)
        case "bars":
            return _bars(chart)


def ticks_for(highest: Decimal, *, is_whole: bool = False) -> list[Decimal]:
    """Round numbers from zero to at least `highest`, some four steps apart by 1, 2 or 5 times a power of ten.

    Of what is counted in whole numbers there are only such.
    """
    if highest <= 0:
        return [Decimal(0), Decimal(1)]
    rough = highest / TICKS
    power = Decimal(1).scaleb(rough.adjusted())
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    step = max(step, Decimal(1)) if is_whole else step
    count = math.ceil(highest / step)
    return [step * number for number in range(count + 1)]


def _columns(chart: Chart) -> Drawing:
    is_whole = not chart.unit and all(value == int(value) for value in _known(chart))
    ticks = ticks_for(max(_sums(chart), default=Decimal(0)), is_whole=is_whole)
    pitch = _pitch(chart)
    width = min(max(pitch * 0.72, 0.8), WIDEST_COLUMN)
    marks = []
    for place, label in enumerate(chart.labels):
        floor = float(COLUMNS_HEIGHT - BOTTOM)
        for number, value in _stack(chart, place):
            height = _height(value, ticks[-1])
            floor -= height
            x = LEFT + place * pitch + (pitch - width) / 2
            marks.append(Mark(x, floor, width, height, number, _says(chart, number, label, value)))
    lines, labels = _axes(chart, ticks)
    return Drawing(chart, WIDTH, COLUMNS_HEIGHT, tuple(marks), lines, labels)


def _line(chart: Chart) -> Drawing:
    """A line for each series, broken where nothing is known; the first lies on top."""
    ticks = ticks_for(chart.top or max(_known(chart), default=Decimal(0)))
    pitch = _pitch(chart)
    runs, dots = [], []
    for number, series in reversed(list(enumerate(chart.series))):
        points: list[tuple[float, float]] = []
        for place, (label, value) in enumerate(zip(chart.labels, series.values, strict=True)):
            if value is None:
                runs.append(Run(number, tuple(points)))
                points = []
                continue
            x, y = LEFT + (place + 0.5) * pitch, COLUMNS_HEIGHT - BOTTOM - _height(value, ticks[-1])
            points.append((x, y))
            dots.append(Mark(x, y, DOT, DOT, number, _says(chart, number, label, value)))
        runs.append(Run(number, tuple(points)))
    lines, labels = _axes(chart, ticks)
    runs = [run for run in runs if len(run.points) > 1]
    return Drawing(chart, WIDTH, COLUMNS_HEIGHT, (), lines, labels, runs=tuple(runs), dots=tuple(dots))


def _known(chart: Chart) -> Iterator[Decimal]:
    return (value for series in chart.series for value in series.values if value is not None)


def _pitch(chart: Chart) -> float:
    return (WIDTH - LEFT - RIGHT) / max(len(chart.labels), 1)


def _height(value: Decimal, top: Decimal) -> float:
    return float(max(value, Decimal(0)) / top) * (COLUMNS_HEIGHT - TOP - BOTTOM)


def _axes(chart: Chart, ticks: Sequence[Decimal]) -> tuple[tuple[float, ...], tuple[Label, ...]]:
    """The grid's heights, the base first, and the names along both axes."""
    lines = tuple(COLUMNS_HEIGHT - BOTTOM - _height(tick, ticks[-1]) for tick in ticks)
    labels = [Label(LEFT - 8, y + 4, _short(tick), "end") for y, tick in zip(lines, ticks, strict=True)]
    every = -(-len(chart.labels) // MAX_LABELS)
    labels += [
        Label(LEFT + (place + 0.5) * _pitch(chart), COLUMNS_HEIGHT - 8, label, "middle")
        for place, label in enumerate(chart.labels)
        if place % every == 0
    ]
    return lines, tuple(labels)


def _bars(chart: Chart) -> Drawing:
    highest = max(_sums(chart), default=Decimal(0)) or Decimal(1)
    marks, labels = [], []
    for place, label in enumerate(chart.labels):
        top = place * BAR_PITCH
        labels.append(Label(0, top + 14, _cut(label), "start"))
        x = 0.0
        for number, value in _stack(chart, place):
            width = float(max(value, Decimal(0)) / highest) * (WIDTH - ROOM_FOR_NUMBER)
            marks.append(Mark(x, top + 21, width, BAR_THICKNESS, number, _says(chart, number, label, value)))
            x += width
        total = sum(value for _, value in _stack(chart, place))
        labels.append(Label(x + (8 if x else 0), top + 32, f"{total:,}", "start", is_strong=True))
    return Drawing(chart, WIDTH, len(chart.labels) * BAR_PITCH, tuple(marks), (), tuple(labels))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1].rstrip()}…"


def _stack(chart: Chart, place: int) -> Iterator[tuple[int, Decimal]]:
    return ((number, series.values[place] or Decimal(0)) for number, series in enumerate(chart.series))


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
