"""What every process tells of itself."""

import time

from prometheus_client import REGISTRY

from shared.lifecycle import background
from shared.metrics import watch_loop
from tests.eventually import eventually


def late_looks() -> float:
    """How often the loop was looked at and was over a tenth of a second late."""
    every = REGISTRY.get_sample_value("souk_event_loop_lag_seconds_count") or 0
    return every - (REGISTRY.get_sample_value("souk_event_loop_lag_seconds_bucket", {"le": "0.1"}) or 0)


async def test_a_loop_that_stood_still_is_seen() -> None:
    before = late_looks()
    async with background(watch_loop(), name="event loop lag"):
        await eventually(lambda: REGISTRY.get_sample_value("souk_event_loop_lag_seconds_count"), 10)
        time.sleep(1)  # noqa: ASYNC251 - what is not to be done is what is seen
        await eventually(lambda: late_looks() > before, 10)
