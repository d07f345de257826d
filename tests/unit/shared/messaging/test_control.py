"""What workers are told holds in whatever order, and however often, they hear it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.control import Control
from shared.messaging.control import Controls

Kind = Literal["pause", "resume", "break", "mend"]
TYPE = "send-email"
STOPS: tuple[Kind, ...] = ("pause", "break")
LETS_GO_ON: tuple[Kind, ...] = ("resume", "mend")
JOB = UUID(int=1)
BEGUN_AT = datetime(2026, 3, 1, tzinfo=UTC)
FENCES = range(1, 6)


def word(kind: Kind, second: int) -> Control:
    return Control(kind=kind, issued_at=BEGUN_AT + timedelta(seconds=second), job_type=TYPE, worker="w")


def with_late_copies(words: Sequence[Control], places: Sequence[tuple[int, int]]) -> list[Control]:
    """What is heard: every word in its order, and some of them once more at a later place."""
    heard = list(words)
    for which, later in places:
        original = words[which % len(words)]
        heard.insert(heard.index(original) + 1 + later, original)
    return heard


places = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=8)


@given(st.integers(1, 6), places)
def test_a_late_copy_stops_no_type_that_was_let_go_on(times: int, places: list[tuple[int, int]]) -> None:
    words = [word(kind, 4 * n + i) for n in range(times) for i, kind in enumerate((*STOPS, *LETS_GO_ON))]
    controls = Controls()
    for control in with_late_copies(words, places):
        controls.apply(control)
    assert controls.paused == set()
    assert controls.breakers[TYPE].kind == "mend"


@given(st.integers(1, 6), places)
def test_what_is_stopped_is_so_at_the_latest_when_it_is_repeated(times: int, places: list[tuple[int, int]]) -> None:
    words = [word(kind, 4 * n + i) for n in range(times) for i, kind in enumerate((*LETS_GO_ON, *STOPS))]
    controls = Controls()
    for control in (*with_late_copies(words, places), word("pause", 1000), word("break", 1000)):
        controls.apply(control)
    assert controls.paused == {TYPE}
    assert controls.breakers[TYPE].kind == "break"


about_a_job = st.builds(
    lambda kind, fence: Control(kind=kind, issued_at=BEGUN_AT, job_id=JOB, fence=fence),
    st.sampled_from(["cancel", "superseded", "park", "suspect"]),
    st.sampled_from(FENCES),
)


@given(st.lists(about_a_job, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_words_about_a_job_mean_the_same_in_every_order(words: list[Control], random: Random) -> None:
    in_order, mixed = Controls(), [*words, *words]
    random.shuffle(mixed)
    other = Controls()
    for control in words:
        in_order.apply(control)
    for control in mixed:
        other.apply(control)
    for fence in FENCES:
        assert other.verdict(JOB, fence) is in_order.verdict(JOB, fence)
        assert other.is_cancelled(JOB, fence) == in_order.is_cancelled(JOB, fence)
    assert other.is_suspect(JOB) == in_order.is_suspect(JOB)
