"""Composition root of imaging."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from services.imaging.handlers import process_image
from services.imaging.renderer import open_renderer
from services.imaging.settings import Settings
from shared.blobs import open_blobs
from shared.contracts import jobs
from shared.messaging.attempt import HandlerTable
from shared.messaging.broker import open_broker
from shared.messaging.working import working
from shared.outbound import guarded_session
from shared.web.checks import all_consuming
from shared.web.ops import operations_port


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """Open everything imaging needs, in order; close it in reverse when the block ends."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(open_broker(settings.amqp_url.get_secret_value(), name="imaging"))
        blobs = await stack.enter_async_context(open_blobs(settings.blobs_url))
        outbound = await stack.enter_async_context(guarded_session(allow=settings.outbound_allow))
        renderer = await stack.enter_async_context(open_renderer(workers=settings.render_workers))
        handlers: HandlerTable = {
            jobs.ProcessImage: partial(
                process_image, blobs=blobs, renderer=renderer, outbound=outbound, publisher=broker.publisher
            ),
        }
        consuming = await stack.enter_async_context(
            working(
                broker,
                handlers,
                worker="imaging",
                tiers=settings.tiers,
                grace_seconds=settings.grace_seconds,
                state_dir=settings.state_dir,
            )
        )
        await stack.enter_async_context(operations_port(settings, {"broker": all_consuming(consuming)}))
        yield
