"""Where a chart's marks go."""

from decimal import Decimal
from itertools import pairwise

import pytest

from services.reporting.charts import BOTTOM, COLUMNS_HEIGHT, LEFT, MAX_LABELS, WIDTH, drawing_of, ticks_for
from services.reporting.document import Chart, Series


def make_chart(kind: str = "columns", **series: list[int]) -> Chart:
    count = len(next(iter(series.values())))
    return Chart(
        title="Sales",
        description="",
        kind="columns" if kind == "columns" else "bars",
        labels=tuple(f"d{place}" for place in range(count)),
        series=tuple(Series(name, tuple(Decimal(value) for value in values)) for name, values in series.items()),
    )


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        ("0", ["0", "1"]),
        ("0.04", ["0", "0.01", "0.02", "0.03", "0.04"]),
        ("3", ["0", "1", "2", "3"]),
        ("97", ["0", "50", "100"]),
        ("100", ["0", "50", "100"]),
        ("1234.5", ["0", "500", "1000", "1500"]),
        ("80000000", ["0", "20000000", "40000000", "60000000", "80000000"]),
    ],
)
def test_ticks_are_round_and_reach_the_highest(highest: str, ticks: list[str]) -> None:
    assert ticks_for(Decimal(highest)) == [Decimal(tick) for tick in ticks]


@pytest.mark.parametrize("count", [1, 7, 31, 366])
def test_columns_stay_inside_and_apart(count: int) -> None:
    drawing = drawing_of(make_chart(sold=list(range(count))))
    xs = [(mark.x, mark.x + mark.width) for mark in drawing.marks]
    assert xs[0][0] >= LEFT
    assert xs[-1][1] <= WIDTH
    assert all(ends <= begins + 1e-6 for (_, ends), (begins, _) in pairwise(xs))
    assert all(mark.y >= 0 for mark in drawing.marks)
    assert len({label.text for label in drawing.labels if label.anchor == "middle"}) <= MAX_LABELS


@pytest.mark.parametrize(("highest", "last"), [("1", 1), ("2", 2), ("3", 3), ("7", 8)])
def test_what_is_counted_has_whole_ticks(highest: str, last: int) -> None:
    ticks = ticks_for(Decimal(highest), is_whole=True)
    assert ticks[-1] == last
    assert all(tick == int(tick) for tick in ticks)


def test_a_line_is_broken_where_nothing_is_known() -> None:
    values = (Decimal(100), Decimal(50), None, Decimal(100), Decimal(100))
    chart = Chart("Health", "", "line", tuple("abcde"), (Series("Mean", values),), top=Decimal(100))
    drawing = drawing_of(chart)
    assert [len(run.points) for run in drawing.runs] == [2, 2]
    assert [dot.says for dot in drawing.dots] == ["a: 100", "b: 50", "d: 100", "e: 100"]
    (_, top), (_, half) = drawing.runs[0].points
    assert half - top == pytest.approx((COLUMNS_HEIGHT - BOTTOM - top) / 2)


def test_a_single_column_is_no_wall() -> None:
    [mark] = drawing_of(make_chart(sold=[5])).marks
    assert mark.width < WIDTH / 4


def test_series_are_stacked_to_their_sum() -> None:
    drawing = drawing_of(make_chart(kept=[30], cancelled=[10]))
    lower, upper = drawing.marks
    assert upper.y + upper.height == pytest.approx(lower.y)
    assert lower.y + lower.height == pytest.approx(COLUMNS_HEIGHT - BOTTOM)
    assert lower.height == pytest.approx(3 * upper.height)
    assert upper.says == "cancelled, d0: 10"


def test_the_longest_bar_leaves_room_for_its_number() -> None:
    drawing = drawing_of(make_chart("bars", sold=[40, 10]))
    longest, shortest = drawing.marks
    assert longest.width == pytest.approx(4 * shortest.width)
    assert longest.x + longest.width < WIDTH - 60


def test_a_chart_of_nothing_says_that_it_is_empty() -> None:
    assert make_chart(sold=[0, 0]).is_empty
    assert drawing_of(make_chart("bars", sold=[0, 0])).marks[0].width == 0
