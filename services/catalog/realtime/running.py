"""What runs beside the feeds."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from services.catalog.realtime.feeds import LiveFeeds
from services.catalog.realtime.watch import HealthPulse, SignedInWatch
from shared.lifecycle import background, every

BEAT_CHECK_SECONDS: Final = 1.0
SIGNED_IN_SECONDS: Final = 10.0
"""How long a feed may outlive its session."""
HEALTH_SECONDS: Final = 5.0


@asynccontextmanager
async def beating(feeds: LiveFeeds, watch: SignedInWatch, pulse: HealthPulse) -> AsyncIterator[None]:
    """Keep feeds open, true and to those who may hear, while the block runs; then end them."""
    async with AsyncExitStack() as stack:
        for seconds, part in (
            (BEAT_CHECK_SECONDS, feeds.beat_once),
            (SIGNED_IN_SECONDS, watch.run_once),
            (HEALTH_SECONDS, pulse.run_once),
        ):
            await stack.enter_async_context(background(every(seconds, part), name="live feeds"))
        stack.callback(feeds.close)
        yield
