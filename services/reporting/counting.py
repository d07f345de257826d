"""Turns events into reporting's own facts, in any order and any number of times."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from services.reporting import store, telling
from services.reporting.models import Fact, FactKind, KeptEvent, SoldLine, ToldProduct, Vendor
from shared.contracts import events
from shared.contracts.base import Event
from shared.contracts.envelope import Envelope
from shared.contracts.jobs import GenerateReport
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Connection, Pool, transaction
from shared.messaging.reader import Received

OfProduct = events.ProductEvent | events.StockChanged | events.StockLow | events.StockRecovered


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """Counts what happened. The same events in any order and number give the same facts."""

    pool: Pool
    inbox: Inbox
    outbox: Outbox

    async def record(self, received: Sequence[Received]) -> None:
        """Count what has arrived, and re-open the reports it belongs in, in one transaction.

        A crash before the commit leaves nothing and the events come again; after it, they come again and are known.
        """
        async with transaction(self.pool) as conn:
            await store.hold_off_builders(conn)
            unique = {each.envelope.id: each for each in received}  # an event may come twice in one batch
            seen = await self.inbox.first_of(conn, list(unique))
            fresh = [each for event_id, each in unique.items() if event_id in seen]
            await store.keep_events(conn, [each.envelope for each in fresh])
            for each in fresh:
                await self.keep(conn, each)
                if isinstance(each.event, events.JobFailed):
                    await self._report_failed(conn, each.event)
            await store.reopen(conn, [line for each in fresh for line in _lines(each.event)])
            told = [each.event.hour for each in fresh if isinstance(each.event, events.MeasuresRecorded)]
            await store.reopen_metrics(conn, told)

    async def keep(self, conn: Connection, received: Received) -> None:
        """Keep what one event tells. Safe to repeat, in any order."""
        event, envelope = received.event, received.envelope
        match event:
            case events.OrderPlaced():
                await store.add_lines(conn, _lines(event))
            case events.OrderCancelled():
                await store.add_lines(conn, _lines(event))
                await store.add_cancellation(conn, event.order_id, event.cancelled_at)
            case events.StockChanged(on_hand=0, delta=delta) if delta < 0:
                await store.add_facts(conn, [_fact(envelope, FactKind.STOCK_OUT, event)])
            case events.StockLow() | events.StockRecovered():
                await store.add_facts(conn, [_fact(envelope, FactKind(event.type), event)])
            case events.VendorChanged(vendor_id=UUID() as vendor_id, name=str() as name):
                vendor = Vendor(vendor_id, name, None if event.time_zone is None else ZoneInfo(event.time_zone))
                await store.keep_vendor(conn, vendor, told_at=envelope.time)
            case events.ProductEvent():
                await self._count_product(conn, event, envelope)
            case events.MeasuresRecorded():
                await store.add_measures(conn, event)
            case events.JobFailed():
                await store.add_facts(conn, [_failure(envelope, event)])
            case _:
                pass  # the queue is bound to whole families; not every member is counted

    async def _count_product(self, conn: Connection, event: events.ProductEvent, envelope: Envelope) -> None:
        if event.vendor_id is None or _is_of_proposal(event):
            return
        match event:
            case events.ProductSubmitted(vendor_name=vendor_name):
                await store.name_vendor(conn, event.vendor_id, vendor_name, told_at=envelope.time)
                await store.add_facts(conn, [_fact(envelope, FactKind.SUBMITTED, event)])
            case events.ProductApproved():
                await store.add_facts(conn, [_fact(envelope, FactKind.APPROVED, event)])
            case events.ProductRejected(reasons=reasons):
                codes = ",".join(sorted({reason.code for reason in reasons}))
                await store.add_facts(conn, [_fact(envelope, FactKind.REJECTED, event, label=codes)])
            case _:
                pass
        if (told := _told(event, event.vendor_id)) is not None:
            await store.keep_product(conn, told)

    async def _report_failed(self, conn: Connection, event: events.JobFailed) -> None:
        if event.job_type != GenerateReport.type or event.cause_id is None:
            return
        try:
            report_id = UUID(event.target)
        except ValueError:  # the target of a scheduled one is the schedule's entry
            return
        error = f"{event.error_class}: {event.error_message}"
        failed = await store.mark_failed(conn, report_id, request_id=event.cause_id, error=error)
        if failed is not None:
            await self.outbox.add(conn, telling.failed(failed))


def _fact(envelope: Envelope, kind: FactKind, event: OfProduct, *, label: str = "") -> Fact:
    return Fact(envelope.id, kind, envelope.time, event.vendor_id, event.product_id, label)


def _failure(envelope: Envelope, event: events.JobFailed) -> Fact:
    return Fact(envelope.id, FactKind.JOB_FAILED, envelope.time, event.vendor_id, event.job_id, event.job_type)


def _is_of_proposal(event: events.ProductEvent) -> bool:
    """Whether it is about what would be changed of a product, which stays in the catalogue as it is."""
    match event:
        case events.ProductSubmitted() | events.ProductApproved() | events.ProductRejected():
            return event.is_change
        case _:
            return False


def _told(event: events.ProductEvent, vendor_id: UUID) -> ToldProduct | None:
    """What an event tells of its product; None if it tells nothing that is kept."""
    told = partial(ToldProduct, event.product_id, vendor_id, event.version)
    match event:
        case events.ProductSubmitted():
            return told("pending", event.title, event.pictures, event.description_chars)
        case events.ProductApproved():
            return told("approved", event.title)
        case events.ProductRejected():
            return told("rejected", event.title)
        case events.ProductSuspended():
            return told("suspended", event.title)
        case events.ProductReinstated():
            return told("approved", event.title)
        case events.ProductArchived():
            return told("archived")
        case events.ProductChanged():
            return told(event.status, None, event.pictures, event.description_chars)
        case _:
            return None


def read_kept(kept: KeptEvent) -> Received:
    """A kept event, as it came in."""
    envelope = Envelope.model_validate_json(kept.body)
    event = events.EVENT_BY_TYPE[envelope.type].model_validate_json(orjson.dumps(envelope.data))
    return Received(envelope, event)


def _lines(event: Event) -> list[SoldLine]:
    """What an order is about: both its events carry its lines."""
    if not isinstance(event, events.OrderPlaced | events.OrderCancelled):
        return []
    return [
        SoldLine(
            order_id=event.order_id,
            line=number,
            vendor_id=line.vendor_id,
            product_id=line.product_id,
            title=line.title,
            quantity=line.quantity,
            unit_minor=line.unit_price.amount_minor,
            currency=line.unit_price.currency,
            placed_at=event.placed_at,
        )
        for number, line in enumerate(event.lines, start=1)
    ]
