"""What every process tells of itself. The figures of one part stand beside that part."""

import asyncio
from typing import Final

from prometheus_client import Histogram, Info

from shared.version import VERSION

LAG_SECONDS: Final = Histogram(
    "souk_event_loop_lag_seconds",
    "How much later than it asked for a task was woken: what any request or delivery waits before it is begun.",
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10),
)
BUILD: Final = Info("souk_build", "The version that runs.")
LOOK_SECONDS: Final = 0.5


async def watch_loop() -> None:
    """Measure the event loop's lag twice a second, until cancelled."""
    BUILD.info({"version": VERSION})
    now = asyncio.get_running_loop().time
    while True:
        due = now() + LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
        LAG_SECONDS.observe(max(0.0, now() - due))
