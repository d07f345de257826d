"""The message edge of imaging: one coroutine per job type."""

from typing import Any

from services.imaging.models import ProcessedImage
from services.imaging.renderer import Renderer
from services.imaging.usecases import render_image
from shared import tracing
from shared.blobs import Blobs
from shared.clock import utc_now
from shared.contracts.envelope import wrap
from shared.contracts.events import ImageProcessed, Rendition
from shared.contracts.jobs import ProcessImage
from shared.ids import derived_id
from shared.messaging.attempt import Attempt
from shared.messaging.publisher import Publisher
from shared.messaging.topology import EVENTS
from shared.outbound import Outbound


async def process_image(
    job: ProcessImage, attempt: Attempt, *, blobs: Blobs, renderer: Renderer, outbound: Outbound, publisher: Publisher
) -> dict[str, Any]:
    """Render one picture and tell the catalog, confirmed, before the attempt is reported.

    Imaging has no outbox: killed after the objects and before the event, or after the event and before the report,
    the job comes again, finds the same keys and says the same event again, under the same id.
    """
    image = await render_image(
        job.source, blobs=blobs, renderer=renderer, outbound=outbound, before_storing=attempt.stop_if_cancelled
    )
    event = _processed(job, image)
    envelope = wrap(
        event,
        identifier=derived_id(attempt.caused_at, attempt.job_id, event.type),
        kind=event.type,
        source="imaging",
        subject=event.subject,
        time=utc_now(),
        traceparent=tracing.current(),
        cause=attempt.job_id,
    )
    await publisher.publish(envelope, exchange=EVENTS, routing_key=event.type)
    return {
        "width": image.width,
        "height": image.height,
        "renditions": len(image.renditions),
        "bytes": sum(rendition.bytes for rendition in image.renditions),
    }


def _processed(job: ProcessImage, image: ProcessedImage) -> ImageProcessed:
    return ImageProcessed(
        image_id=job.image_id,
        product_id=job.product_id,
        round=job.round,
        original_key=image.original_key,
        width=image.width,
        height=image.height,
        placeholder=image.placeholder,
        renditions=tuple(
            Rendition(
                preset=rendition.preset,
                format=rendition.format,
                width=rendition.width,
                height=rendition.height,
                bytes=rendition.bytes,
                key=rendition.key,
            )
            for rendition in image.renditions
        ),
    )
