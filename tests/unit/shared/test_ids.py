"""Ids: their layout, and that the same cause gives the same one."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ids import derived_id, id_at, new_id, time_of

AT = datetime(2026, 3, 29, 1, 59, 59, 987_000, tzinfo=UTC)
moments = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
names = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), max_size=5), min_size=1, max_size=4)
parts = st.lists(st.one_of(st.text(), st.integers(), st.uuids()), min_size=1, max_size=4)


@given(at=moments, given_parts=parts)
def test_a_derived_id_is_a_uuid_7_of_its_time(at: datetime, given_parts: list[object]) -> None:
    found = derived_id(at, *given_parts)
    assert (found.version, found.variant) == (7, RFC_4122)
    assert abs(time_of(found) - at) < timedelta(milliseconds=1)
    assert id_at(at).int <= found.int < id_at(at).int + (1 << 80)


@given(at=moments, given_parts=parts)
def test_the_same_cause_gives_the_same_id(at: datetime, given_parts: list[object]) -> None:
    assert derived_id(at, *given_parts) == derived_id(at, *given_parts)


@given(first=names, second=names)
def test_other_parts_give_another_id(first: list[str], second: list[str]) -> None:
    assert (derived_id(AT, *first) == derived_id(AT, *second)) == (first == second)


def test_another_time_gives_another_id() -> None:
    assert derived_id(AT, "x") != derived_id(AT + timedelta(milliseconds=1), "x")


def test_a_derived_id_stays_what_it_is_on_the_wire() -> None:
    cause = UUID("019d0000-0000-7000-8000-000000000001")
    assert str(derived_id(AT, cause, "send-email", "product_submitted", 1)) == "019d3751-c8f3-7bc4-88c5-e93e34b54c2b"


def test_fresh_ids_are_unique_and_rise() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert [time_of(id_) for id_ in ids] == sorted(time_of(id_) for id_ in ids)
    assert all(type(id_) is UUID and id_.version == 7 for id_ in ids)


@pytest.mark.parametrize("at", [AT, datetime(2026, 1, 1, tzinfo=UTC)], ids=str)
def test_the_lowest_id_of_a_time_bounds_what_is_made_then(at: datetime) -> None:
    assert id_at(at) <= derived_id(at, "a") < id_at(at + timedelta(milliseconds=1))
