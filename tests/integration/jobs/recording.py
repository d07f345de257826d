"""Handing reports to the recorder as the broker delivers them."""

from collections.abc import Sequence
from uuid import UUID

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from services.jobs.recorder import Recorder
from shared.contracts.reports import AttemptReport, ReportBatch
from shared.ids import new_id
from shared.messaging.reporter import REPORT_TYPE


def delivered(reports: Sequence[AttemptReport], *, message_id: UUID | None = None) -> DeliveredMessage:
    """A message of reports as it comes from the queue."""
    properties = Basic.Properties(message_type=REPORT_TYPE, message_id=str(message_id or new_id()))
    return DeliveredMessage(
        delivery=Basic.Deliver(delivery_tag=1, routing_key="report"),
        header=ContentHeader(properties=properties),
        body=ReportBatch(reports=tuple(reports)).model_dump_json(exclude_none=True).encode(),
        channel=None,  # type: ignore[arg-type]
    )


async def recorded(recorder: Recorder, reports: Sequence[AttemptReport]) -> None:
    """Record reports that came in one message."""
    await recorder.handle([delivered(reports)])
