"""Which event makes which jobs: the one table."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.jobs.models import Order
from shared.contracts import events, jobs
from shared.contracts.base import Audience, Event
from shared.contracts.jobs import JOB_BY_TYPE, Params

_ADMINS: Final = Audience(kind="admins")


def orders_for(event: Event) -> tuple[Order, ...]:
    """The jobs an event asks for; none for an event that is not in the table."""
    rule = POLICY.get(type(event))
    return () if rule is None else rule(event)


def _submitted(event: events.ProductSubmitted) -> tuple[Order, ...]:
    params: Params = {
        "product_id": str(event.product_id),
        "sku": event.sku,
        "title": event.title,
        "vendor_name": event.vendor_name,
        "price_minor": event.price.amount_minor,
        "currency": event.price.currency,
        "round": event.round,
        "is_change": event.is_change,
    }
    return (
        _mail("product_submitted", _ADMINS, params, priority=2),
        _notification("product_submitted", _ADMINS, params),
    )


def _approved(event: events.ProductApproved) -> tuple[Order, ...]:
    params: Params = {
        "product_id": str(event.product_id),
        "title": event.title,
        "slug": event.slug,
        "is_change": event.is_change,
    }
    return _told_to_vendor(event, "product_approved", params)


def _rejected(event: events.ProductRejected) -> tuple[Order, ...]:
    params: Params = {
        "product_id": str(event.product_id),
        "title": event.title,
        "reasons": [{"code": reason.code, "note": reason.note} for reason in event.reasons],
        "is_change": event.is_change,
    }
    return _told_to_vendor(event, "product_rejected", params)


def _suspended(event: events.ProductSuspended) -> tuple[Order, ...]:
    params: Params = {"product_id": str(event.product_id), "title": event.title, "note": event.note}
    return _told_to_vendor(event, "product_suspended", params)


def _reinstated(event: events.ProductReinstated) -> tuple[Order, ...]:
    return _told_to_vendor(event, "product_reinstated", {"product_id": str(event.product_id), "title": event.title})


def _image_added(event: events.ImageAdded) -> tuple[Order, ...]:
    job = jobs.ProcessImage(
        image_id=event.image_id, product_id=event.product_id, source=event.source, round=event.round
    )
    return (Order(job, target=str(event.image_id), round=event.round),)


def _stock_low(event: events.StockLowDigest) -> tuple[Order, ...]:
    params: Params = {
        "products": [
            {
                "product_id": str(low.product_id),
                "sku": low.sku,
                "title": low.title,
                "on_hand": low.on_hand,
                "threshold": low.threshold,
            }
            for low in event.products
        ],
        "more": event.more,
    }
    vendor = Audience(kind="vendor", vendor_id=event.vendor_id)
    return (
        _mail("stock_low", vendor, params, priority=2),
        _notification("stock_low", vendor, params),
    )


def _sync_requested(event: events.SyncRequested) -> tuple[Order, ...]:
    job = jobs.SyncInventory(source_id=event.source_id, run_id=event.run_id)
    return (Order(job, target=str(event.run_id), round=event.round),)


def _sync_failing(event: events.SyncFailing) -> tuple[Order, ...]:
    params: Params = {
        "source_id": str(event.source_id),
        "name": event.name,
        "failures": event.failures,
        "problem": event.problem,
    }
    vendor = Audience(kind="vendor", vendor_id=event.vendor_id)
    return (
        _mail("sync_failing", vendor, params, priority=2),
        _notification("sync_failing", vendor, params),
    )


def _report_requested(event: events.ReportRequested) -> tuple[Order, ...]:
    job = jobs.GenerateReport(
        report_id=event.report_id,
        report_type=event.report_type,
        vendor_id=event.vendor_id,
        period_from=event.period_from,
        period_to=event.period_to,
    )
    return (Order(job, target=str(event.report_id), round=event.round),)


def _report_ready(event: events.ReportReady) -> tuple[Order, ...]:
    """Who asked for a report, or for the end of its day, hears of it; of an empty one nobody does."""
    if not event.summary or event.period_from is None or event.period_to is None:
        return ()
    audience = _ADMINS if event.vendor_id is None else Audience(kind="vendor", vendor_id=event.vendor_id)
    params: Params = {
        "report_id": str(event.report_id),
        "report_type": event.report_type,
        "period_from": event.period_from.isoformat(),
        "period_to": event.period_to.isoformat(),
        "link": event.link,
        "is_revised": event.revised,
        "figures": [{"label": each.label, "value": each.value, "note": each.note} for each in event.summary],
    }
    told = _notification("report_ready", audience, params)
    if not event.is_due:
        return (told,)
    words: Params = {
        "notes": [{"text": note} for note in event.notes],
        "charts": [{"label": each.label, "value": each.value} for each in event.charts],
    }
    return (_mail("report_ready", audience, {**params, **words}, priority=4), told)


def _schedule_due(event: events.ScheduleDue) -> tuple[Order, ...]:
    contract = JOB_BY_TYPE[event.job_type]
    payload: dict[str, Any] = {**event.payload}
    if "due_at" in contract.model_fields:
        payload["due_at"] = event.due_at
    # The entry's values come from a file: lax reading lets a date be written as text there.
    return (Order(contract.model_validate(payload, strict=False), target=event.entry, priority=event.priority),)


POLICY: Final[Mapping[type[Event], Callable[[Any], tuple[Order, ...]]]] = {
    events.ProductSubmitted: _submitted,  # e-mail to the admins (2), notification (3)
    events.ProductApproved: _approved,  # e-mail to the vendor (2), notification (3)
    events.ProductRejected: _rejected,
    events.ProductSuspended: _suspended,
    events.ProductReinstated: _reinstated,
    events.ImageAdded: _image_added,  # process-image (3)
    events.StockLowDigest: _stock_low,  # one e-mail (2), one notification (3)
    events.SyncRequested: _sync_requested,  # sync-inventory (3)
    events.SyncFailing: _sync_failing,  # e-mail to the vendor (2), notification (3)
    events.ReportRequested: _report_requested,  # generate-report (5)
    events.ReportReady: _report_ready,  # one notification (3); of a day that is over also an e-mail (4)
    events.ScheduleDue: _schedule_due,  # what the schedule's entry names
}


def _told_to_vendor(event: events.ProductEvent, kind: str, params: Params) -> tuple[Order, ...]:
    vendor = Audience(kind="vendor", vendor_id=event.vendor_id)
    return (
        _mail(kind, vendor, params, priority=2),
        _notification(kind, vendor, params),
    )


def _mail(letter: str, audience: Audience, params: Params, *, priority: int) -> Order:
    return Order(jobs.SendEmail(letter=letter, audience=audience, params=params), target=letter, priority=priority)


def _notification(kind: str, audience: Audience, params: Params) -> Order:
    return Order(jobs.SendNotification(kind=kind, audience=audience, params=params), target=kind, priority=3)
