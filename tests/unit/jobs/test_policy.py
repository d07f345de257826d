"""Which event makes which jobs."""

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from services.jobs.policy import POLICY, orders_for
from shared.contracts import events, jobs
from shared.contracts.base import Audience, Event, Money, Reason
from shared.contracts.events import EVENTS
from shared.ids import new_id
from shared.messaging.topology import ANNOUNCEMENT, EVENT_READERS

VENDOR, PRODUCT = new_id(), new_id()
ADMINS, SELLER = Audience(kind="admins"), Audience(kind="vendor", vendor_id=VENDOR)


def of(event: Event) -> list[tuple[str, str, int | None]]:
    return [(order.job.type, order.target, order.priority) for order in orders_for(event)]


def product(kind: type[events.ProductEvent], **more: object) -> Event:
    return kind.model_validate({"vendor_id": VENDOR, "product_id": PRODUCT, "version": 2, "title": "Bowl", **more})


CASES: list[tuple[Event, Audience | None, list[tuple[str, str, int | None]]]] = [
    (
        product(events.ProductSubmitted, sku="S", vendor_name="V", price=Money(amount_minor=1, currency="EUR")),
        ADMINS,
        [("send-email", "product_submitted", 2), ("send-notification", "product_submitted", 3)],
    ),
    (
        product(events.ProductApproved, slug="bowl"),
        SELLER,
        [("send-email", "product_approved", 2), ("send-notification", "product_approved", 3)],
    ),
    (
        product(events.ProductRejected, reasons=(Reason(code="photo", note="too dark"),)),
        SELLER,
        [("send-email", "product_rejected", 2), ("send-notification", "product_rejected", 3)],
    ),
    (
        product(events.ProductSuspended),
        SELLER,
        [("send-email", "product_suspended", 2), ("send-notification", "product_suspended", 3)],
    ),
    (
        product(events.ProductReinstated),
        SELLER,
        [("send-email", "product_reinstated", 2), ("send-notification", "product_reinstated", 3)],
    ),
    (
        events.StockLowDigest(
            vendor_id=VENDOR,
            products=(events.LowProduct(product_id=PRODUCT, sku="S", title="Bowl", on_hand=1, threshold=5),),
        ),
        SELLER,
        [("send-email", "stock_low", 2), ("send-notification", "stock_low", 3)],
    ),
    (
        events.SyncFailing(vendor_id=VENDOR, source_id=PRODUCT, name="Depot", failures=3, problem="It answered 503."),
        SELLER,
        [("send-email", "sync_failing", 2), ("send-notification", "sync_failing", 3)],
    ),
    (product(events.ProductChanged, slug="bowl", status="approved"), None, []),
]


@pytest.mark.parametrize(("event", "audience", "expected"), CASES, ids=[case[0].type for case in CASES])
def test_an_event_asks_for_the_jobs_of_the_table(
    event: Event, audience: Audience | None, expected: list[tuple[str, str, int | None]]
) -> None:
    assert of(event) == expected
    for order in orders_for(event):
        assert isinstance(order.job, jobs.SendEmail | jobs.SendNotification)
        assert order.job.audience == audience


def test_a_picture_asks_for_its_renditions_once_for_each_round() -> None:
    image = new_id()
    event = events.ImageAdded(image_id=image, product_id=PRODUCT, source="blob:x", round=2)
    [order] = orders_for(event)
    assert order.job == jobs.ProcessImage(image_id=image, product_id=PRODUCT, source="blob:x", round=2)
    assert (order.target, order.round, order.priority) == (str(image), 2, None)


def test_a_report_asked_for_is_built_for_its_vendor_and_period() -> None:
    event = events.ReportRequested(
        vendor_id=VENDOR,
        report_id=new_id(),
        report_type="sales",
        period_from=date(2026, 1, 1),
        period_to=date(2026, 1, 31),
    )
    [order] = orders_for(event)
    assert isinstance(order.job, jobs.GenerateReport)
    assert (order.job.report_id, order.job.vendor_id) == (event.report_id, VENDOR)
    assert (order.job.period_from, order.job.period_to) == (event.period_from, event.period_to)


def ready(**changes: object) -> events.ReportReady:
    day = datetime(2026, 1, 1, tzinfo=UTC).date()
    told = (events.ReportFigure(label="Orders", value="31"),)
    event = events.ReportReady(
        vendor_id=VENDOR, report_id=VENDOR, report_type="daily_sales", period_from=day, period_to=day, summary=told
    )
    return event.model_copy(update=changes)


def test_who_asked_for_a_report_is_notified_and_the_end_of_a_day_is_mailed_too() -> None:
    assert [order.job.type for order in orders_for(ready())] == ["send-notification"]
    assert [order.job.type for order in orders_for(ready(is_due=True))] == ["send-email", "send-notification"]
    assert orders_for(ready(is_due=True, summary=())) == ()  # nothing happened: nothing to tell


def due(job_type: str, **payload: str | int | bool | None) -> events.ScheduleDue:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return events.ScheduleDue(entry="nightly", job_type=job_type, payload=payload, due_at=at, priority=4)


def test_a_slot_asks_for_the_job_of_its_entry_with_its_time() -> None:
    [order] = orders_for(due("generate-report", report_type="daily-metrics"))
    assert isinstance(order.job, jobs.GenerateReport)
    assert (order.job.report_type, order.job.due_at) == ("daily-metrics", datetime(2026, 1, 1, tzinfo=UTC))
    assert (order.target, order.priority) == ("nightly", 4)


@pytest.mark.parametrize("event", [due("no-such-job"), due("cleanup-cache", mode="explode")], ids=lambda e: e.job_type)
def test_a_slot_that_asks_for_what_is_not_there_is_an_error(event: Event) -> None:
    with pytest.raises((KeyError, ValidationError)):
        orders_for(event)


def test_the_dispatch_queue_is_bound_to_just_the_events_of_the_table() -> None:
    assert sorted(EVENT_READERS["dispatch"]) == sorted([*(event.type for event in POLICY), ANNOUNCEMENT])
    assert set(POLICY) <= set(EVENTS)
