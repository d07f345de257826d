"""The trace context, and how little depends on the collector."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from shared import spans, tracing
from shared.tracing import current, exporting, is_sampled, span, trace_id_of
from tests.eventually import eventually

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REFUSED = {
    "nothing": "",
    "no hexadecimal": "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
    "capitals": GIVEN.upper(),
    "another version": f"01{GIVEN[2:]}",
    "no version": f"ff{GIVEN[2:]}",
    "no trace": f"00-{'0' * 32}-b7ad6b7169203331-01",
    "no span": f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    "more than there is": f"{GIVEN}-00",
    "a line more": f"{GIVEN}\n",
}


def test_what_is_valid_is_gone_on_with() -> None:
    with span("x", parent=GIVEN) as going_on:
        assert going_on.traceparent == current() == GIVEN
        assert trace_id_of(current()) == "0af7651916cd43dd8448eb211c80319c"
    assert current() is None


@pytest.mark.parametrize("header", REFUSED.values(), ids=REFUSED)
def test_what_is_not_valid_begins_a_trace_of_its_own(header: str) -> None:
    begun = span("x", parent=header).traceparent
    assert begun != header
    assert trace_id_of(begun) is not None
    assert trace_id_of(header) is None
    assert not is_sampled(header)


async def test_tasks_do_not_mix_up_their_traces() -> None:
    async def told(traceparent: str) -> str | None:
        with span("x", parent=traceparent):
            await asyncio.sleep(0)
            return current()

    others = [f"00-{number:032x}-b7ad6b7169203331-00" for number in range(1, 20)]
    assert await asyncio.gather(*map(told, others)) == others


def test_a_fact_nobody_asked_for_begins_a_trace() -> None:
    first, second = tracing.cause_of("schedule.due"), tracing.cause_of("schedule.due")
    assert trace_id_of(first) != trace_id_of(second)
    with span("x", parent=GIVEN):
        assert tracing.cause_of("product.changed") == GIVEN


def test_the_context_of_an_envelope_is_found_without_reading_it() -> None:
    envelope = f'{{"specversion":"1.0","traceparent":"{GIVEN}","data":{{"title":"\\"traceparent\\":\\"x\\""}}}}'
    assert tracing.in_envelope(envelope) == GIVEN
    assert tracing.in_envelope('{"data":{"title":"\\"traceparent\\":\\"x\\""}}') is None


@pytest.fixture(params=["away", "silent"])
def no_collector(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a collector that refuses connections, or takes them and never answers."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        if request.param == "silent":
            place.listen(64)
        yield f"http://127.0.0.1:{place.getsockname()[1]}"


def _counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("souk_spans_total", {"outcome": outcome}) or 0.0


async def test_without_its_collector_work_goes_on_and_what_was_lost_is_counted(
    no_collector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"MAX_WAITING": 64, "SEND_SECONDS": 0.5, "SEND_EVERY_SECONDS": 0.05, "CLOSE_SECONDS": 0.3}
    for name, value in limits.items():
        monkeypatch.setattr(spans, name, value)
    before, ended = _counted("refused") + _counted("dropped"), 640
    with exporting(no_collector, service="test", version="0"):
        for _ in range(ended):
            with span("work", parent=GIVEN, kind=tracing.Kind.CONSUMER) as begun:
                assert trace_id_of(begun.traceparent) == trace_id_of(GIVEN)
        await eventually(lambda: _counted("refused") + _counted("dropped") - before >= ended - 64, 20)
        began = time.monotonic()
    assert time.monotonic() - began < 10 * spans.CLOSE_SECONDS
    assert span("after", parent=GIVEN).traceparent == GIVEN
