"""What becomes of a source's rows, and when it is asked again."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.catalog.sync.models import (
    Format,
    Layout,
    Matched,
    Plan,
    Position,
    Row,
    Source,
    SourceKind,
    match,
    next_run,
    plan,
)

A, B, C = (UUID(int=number) for number in range(1, 4))
RUN, EARLIER = UUID(int=10), UUID(int=11)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_zeros_come_first_and_the_newest_row_of_a_product_counts() -> None:
    rows = [
        Row(1, "a", 5, 2),
        Row(2, "b", 0, 1),
        Row(3, "also a", 4, 3),
        Row(4, "a", 6, 1),
        Row(5, "nobody", 0, 1),
        Row(6, "b", 1, 1),
        Row(7, "b", 0, 1),
    ]
    matching = match(rows, {"a": A, "also a": A, "b": B})
    assert matching.rows == [Matched(B, 0, 1), Matched(A, 4, 3)]
    assert (list(matching.unmatched), matching.older) == (["nobody"], 3)
    assert [(error.row, error.code) for error in matching.errors] == [(6, "contradiction")]


@pytest.mark.parametrize(
    ("known", "quantity", "planned"),
    [
        (None, 7, Plan({A: 2}, {A: 5})),
        (None, 5, Plan({}, {A: 5}, unchanged=1)),
        (Position(4, EARLIER), 0, Plan({A: -5}, {A: 5})),
        (Position(5, EARLIER), 7, Plan(unchanged=1)),
        (Position(5, RUN), 7, Plan()),
        (Position(6, EARLIER), 7, Plan(older=1)),
        (Position(4, RUN), 5, Plan({}, {A: 5})),
    ],
    ids=["new", "new and right", "newer", "applied", "applied by this run", "older", "newer in the same run and right"],
)
def test_a_version_is_applied_once_and_never_after_a_newer_one(
    known: Position | None, quantity: int, planned: Plan
) -> None:
    positions = {} if known is None else {A: known}
    assert plan([Matched(A, quantity, 5)], {A: 5}, positions, run_id=RUN) == planned


def source(interval_seconds: int | None) -> Source:
    return Source(
        id=A,
        vendor_id=B,
        name="Depot",
        kind=SourceKind.PULL,
        format=Format.JSON,
        layout=Layout(),
        url="https://example.com/",
        sealed=None,
        interval_seconds=interval_seconds,
        is_enabled=True,
        failures=0,
        is_failing=False,
        problem=None,
        etag=None,
        applied_at=None,
        next_run_at=None,
        version=1,
        created_at=NOW,
        updated_at=NOW,
    )


@pytest.mark.parametrize(
    ("interval_seconds", "failures", "wait"),
    [
        (600, 0, timedelta(minutes=10)),
        (600, 1, timedelta(minutes=20)),
        (600, 4, timedelta(minutes=160)),
        (600, 6, timedelta(hours=6)),
        (600, 10_000, timedelta(hours=6)),
        (86_400, 3, timedelta(days=1)),
    ],
)
def test_each_bad_run_doubles_the_wait(interval_seconds: int, failures: int, wait: timedelta) -> None:
    assert next_run(source(interval_seconds), failures=failures, now=NOW) == NOW + wait


def test_a_source_without_an_interval_waits_for_people() -> None:
    assert next_run(source(None), failures=1, now=NOW) is None
