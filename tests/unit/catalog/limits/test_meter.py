"""A share: so many at once, and again one by one."""

import pytest

from services.catalog.limits.meter import Meter
from services.catalog.limits.models import Cost, Policy


class Bench:
    """A meter with a clock."""

    def __init__(self, quota: int, *, max_subjects: int = 1000) -> None:
        self.now = 1000.0
        self.meter = Meter(Policy(Cost.READ, quota), max_subjects=max_subjects, clock=lambda: self.now)

    def let_in(self, wishes: int, subject: str = "a") -> int:
        return sum(not self.meter.take(subject).is_refused for _ in range(wishes))


@pytest.mark.parametrize("quota", [1, 3, 7, 60, 999, 60_000])
def test_a_whole_share_is_let_in_at_once_and_not_one_more(quota: int) -> None:
    assert Bench(quota).let_in(quota + 5) == quota


@pytest.mark.parametrize("quota", [1, 7, 600])
def test_what_was_used_comes_back_evenly_and_never_beyond_the_share(quota: int) -> None:
    bench = Bench(quota)
    bench.let_in(quota)
    for _ in range(3):
        bench.now += 60 / quota
        assert bench.let_in(3) == 1
    bench.now += 3600
    assert bench.let_in(quota + 5) == quota


def test_a_refusal_costs_nothing_and_says_when_to_come_again() -> None:
    bench = Bench(6)
    bench.let_in(6)
    refusals = [bench.meter.take("a") for _ in range(50)]
    assert {refusal.retry_after_seconds for refusal in refusals} == {10.0}
    bench.now += 10.0
    assert bench.let_in(2) == 1


def test_nobody_takes_of_anothers_share() -> None:
    bench = Bench(5)
    assert (bench.let_in(100, "greedy"), bench.let_in(5, "modest")) == (5, 5)


def test_the_headers_are_those_of_the_draft() -> None:
    bench = Bench(60)
    grant = bench.meter.take("a")
    assert grant.policy.header == '"read";q=60;w=60'
    assert grant.header == '"read";r=59;t=1'
    bench.let_in(100)
    assert bench.meter.take("a").header == '"read";r=0;t=60'


def test_there_is_a_bound_to_how_many_are_remembered_and_the_latest_are() -> None:
    bench = Bench(1, max_subjects=100)
    for number in range(1000):
        bench.let_in(1, str(number))
    assert len(bench.meter) <= 100
    assert bench.let_in(1, "999") == 0
    bench.now += 61
    for number in range(100):
        bench.let_in(1, f"later {number}")
    assert len(bench.meter) == 100
