"""What the jobs service asks for is what the letters need: every event of its table, off the wire, at its limits."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.jobs.policy import POLICY, orders_for
from services.notifier.letters import LETTERS, params_of
from services.notifier.models import ADMIN_KINDS, VENDOR_KINDS
from shared.contracts import events
from shared.contracts.base import Event, Job, Money, Reason
from shared.contracts.jobs import SendEmail, SendNotification

VENDOR, PRODUCT = UUID(int=7), UUID(int=8)
LONGEST = "x" * 500
NO_NOTE, LONGEST_NOTE = "", "\n".join(["n" * 499] * 2)

SAMPLES: dict[str, Event] = {
    "submitted": events.ProductSubmitted(
        vendor_id=VENDOR,
        product_id=PRODUCT,
        version=1,
        sku="S-1",
        title="Bowl",
        vendor_name="Atelier",
        price=Money(amount_minor=100, currency="EUR"),
    ),
    "submitted, at its limits": events.ProductSubmitted(
        vendor_id=VENDOR,
        product_id=PRODUCT,
        version=2**31,
        sku=LONGEST,
        title=LONGEST,
        vendor_name=LONGEST,
        price=Money(amount_minor=10**12, currency="JPY"),
        round=1000,
    ),
    "submitted, empty": events.ProductSubmitted(
        vendor_id=VENDOR,
        product_id=PRODUCT,
        version=1,
        sku="",
        title="",
        vendor_name="",
        price=Money(amount_minor=0, currency="XXX"),
    ),
    "approved": events.ProductApproved(vendor_id=VENDOR, product_id=PRODUCT, version=2, title=LONGEST, slug=LONGEST),
    "rejected": events.ProductRejected(
        vendor_id=VENDOR,
        product_id=PRODUCT,
        version=2,
        title=LONGEST,
        reasons=(Reason(code="images", note=NO_NOTE), Reason(code="c" * 60, note=LONGEST_NOTE)),
    ),
    "rejected without a reason": events.ProductRejected(
        vendor_id=VENDOR, product_id=PRODUCT, version=2, title="Bowl", reasons=()
    ),
    "suspended": events.ProductSuspended(
        vendor_id=VENDOR, product_id=PRODUCT, version=2, title=LONGEST, note=LONGEST_NOTE
    ),
    "reinstated": events.ProductReinstated(vendor_id=VENDOR, product_id=PRODUCT, version=2, title=LONGEST),
    "low stock": events.StockLowDigest(
        vendor_id=VENDOR,
        products=tuple(
            events.LowProduct(product_id=UUID(int=n), sku=LONGEST, title=LONGEST, on_hand=n, threshold=n)
            for n in range(200)
        ),
        more=4800,
    ),
    "sync requested": events.SyncRequested(vendor_id=VENDOR, source_id=PRODUCT, run_id=PRODUCT),
    "sync failing": events.SyncFailing(vendor_id=VENDOR, source_id=PRODUCT, name=LONGEST, failures=3, problem=LONGEST),
    "image added": events.ImageAdded(vendor_id=VENDOR, image_id=PRODUCT, product_id=PRODUCT, source="blob:x"),
    "report requested": events.ReportRequested(
        report_id=PRODUCT,
        report_type="sales",
        period_from=datetime(2026, 1, 1, tzinfo=UTC).date(),
        period_to=datetime(2026, 1, 2, tzinfo=UTC).date(),
    ),
    "report ready": events.ReportReady(
        vendor_id=VENDOR,
        report_id=PRODUCT,
        report_type="daily_sales",
        is_due=True,
        period_from=datetime(2026, 1, 1, tzinfo=UTC).date(),
        period_to=datetime(2026, 1, 1, tzinfo=UTC).date(),
        link=f"/r/{PRODUCT}/77d1e-{'0' * 32}",
        summary=(events.ReportFigure(label=LONGEST, value=LONGEST, note="n" * 500),),
        notes=(LONGEST,),
        charts=(events.ReportFigure(label=LONGEST, value=LONGEST),),
    ),
    "schedule due": events.ScheduleDue(
        entry="cleanup-jobs", due_at=datetime(2026, 1, 1, tzinfo=UTC), job_type="cleanup-jobs", payload={}
    ),
}


def jobs_of(event: Event) -> Sequence[Job]:
    """The jobs an event makes, as they are read off the wire."""
    return [type(order.job).model_validate_json(order.job.model_dump_json()) for order in orders_for(event)]


def test_every_event_of_the_table_has_a_sample() -> None:
    assert {type(event) for event in SAMPLES.values()} == set(POLICY)


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_letter_that_is_asked_for_exists_and_gets_the_params_it_needs(sample: str) -> None:
    for job in jobs_of(SAMPLES[sample]):
        if isinstance(job, SendEmail):
            assert params_of(job.letter, job.params).subject


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_message_has_a_preference_of_those_who_get_it(sample: str) -> None:
    for job in jobs_of(SAMPLES[sample]):
        kinds: tuple[str, ...] = ()
        if isinstance(job, SendEmail | SendNotification):
            kinds = ADMIN_KINDS if job.audience.kind == "admins" else VENDOR_KINDS
        if isinstance(job, SendEmail):
            assert job.letter in kinds
        elif isinstance(job, SendNotification):
            assert job.kind in kinds


def test_every_letter_has_a_preference() -> None:
    assert {*ADMIN_KINDS, *VENDOR_KINDS} == set(LETTERS)
