"""What live feeds tell, and to whom. No I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from shared.contracts.base import Event
from shared.contracts.events import (
    ImageFailed,
    JobFailed,
    JobFinished,
    JobsChanged,
    NotificationCreated,
    ProductApproved,
    ProductChanged,
    ProductRejected,
    ProductSubmitted,
    ReportFailed,
    ReportReady,
    StockChanged,
    StockLow,
    StockRecovered,
    SyncFailing,
    VendorChanged,
    VendorReinstated,
    VendorSuspended,
)
from shared.encoding import to_json
from shared.web.identity import Identity, Role


class Circle(StrEnum):
    """Who hears something together. A circle of many is a key together with an id."""

    EVERYBODY = "everybody"
    PRODUCT = "product"
    """Everybody who looks at one product."""
    VENDOR = "vendor"
    DESK = "desk"
    """The admins."""
    JOBS = "jobs"
    """Admins and operators: the work behind the pages."""


Key = tuple[Circle, UUID | None]
"""One circle. A feed holds the keys of the circles it belongs to, given once, when it is opened."""

EVERYBODY: Final[Key] = (Circle.EVERYBODY, None)
DESK: Final[Key] = (Circle.DESK, None)
JOBS: Final[Key] = (Circle.JOBS, None)

_SHOWN: Final = "approved"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something told to some circles. No feed is in two circles of one notice's event, so an id is told once."""

    name: str
    data: Mapping[str, Any]
    to: tuple[Key, ...]

    def frame(self, position: str | None = None) -> bytes:
        """As server-sent events are written; `position` is what a client resumes behind."""
        return frame_of(self.name, self.data, position)


def frame_of(name: str, data: Mapping[str, Any], position: str | None = None) -> bytes:
    """One server-sent event: https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    line = b"" if position is None else f"id: {position}\n".encode()
    return b"%sevent: %s\ndata: %s\n\n" % (line, name.encode(), to_json(data))


def keys_of(identity: Identity) -> tuple[Key, ...]:
    """The circles that somebody signed in belongs to."""
    match identity.role:
        case Role.VENDOR:
            assert identity.vendor_id is not None, "a vendor's account has one by constraint"
            return (vendor_key(identity.vendor_id),)
        case Role.ADMIN:
            return DESK, JOBS
        case Role.OPS:
            return (JOBS,)
        case Role.CHANNEL | Role.SERVICE:
            return ()


def vendor_key(vendor_id: UUID | None) -> Key:
    """The people of one vendor."""
    return Circle.VENDOR, vendor_id


def product_key(product_id: UUID) -> Key:
    """Those who look at one product of the catalogue."""
    return Circle.PRODUCT, product_id


def notices_of(event: Event) -> Iterator[Notice]:
    """What an event is to live pages. The public is told ids alone: what may be seen of them is asked for."""
    match event:
        case ProductChanged():
            yield from _product_changed(event)
        case ProductSubmitted(round=1, version=1):  # later ones come with a `product.changed`
            told = {"id": event.product_id, "status": "pending", "version": event.version}
            yield Notice("product", told, (vendor_key(event.vendor_id), DESK))
        case ProductApproved() | ProductRejected():
            decision = "approved" if isinstance(event, ProductApproved) else "rejected"
            told = {"id": event.product_id, "decision": decision, "title": event.title}
            yield Notice("decision", told, (vendor_key(event.vendor_id), DESK))
        case ImageFailed():
            told = {"product_id": event.product_id, "image_id": event.image_id, "reason": event.reason}
            yield Notice("picture-failed", told, (vendor_key(event.vendor_id),))
        case StockChanged():
            yield from _stock_changed(event)
        case StockLow() | StockRecovered():
            name = "stock-low" if isinstance(event, StockLow) else "stock-recovered"
            told = {"product_id": event.product_id, "on_hand": event.on_hand}
            yield Notice(name, told, (vendor_key(event.vendor_id),))
        case NotificationCreated():
            to = DESK if event.audience.kind == "admins" else vendor_key(event.audience.vendor_id)
            yield Notice("notification", {"id": event.notification_id, "kind": event.kind}, (to,))
        case ReportReady():
            to = DESK if event.vendor_id is None else vendor_key(event.vendor_id)
            told = {"id": event.report_id, "type": event.report_type, "revised": event.revised}
            yield Notice("report", told, (to,))
        case ReportFailed():
            to = DESK if event.vendor_id is None else vendor_key(event.vendor_id)
            told = {"id": event.report_id, "type": event.report_type, "error": event.error}
            yield Notice("report-failed", told, (to,))
        case SyncFailing():
            told = {"source_id": event.source_id, "name": event.name, "problem": event.problem}
            yield Notice("sync-failing", told, (vendor_key(event.vendor_id),))
        case JobsChanged():
            yield Notice("jobs", {"types": event.types}, (JOBS,))
        case JobFailed():
            yield from _job_failed(event)
        case JobFinished():
            told = {"id": event.job_id, "type": event.job_type, "outcome": event.outcome}
            yield Notice("job-finished", told, (JOBS,))
        case VendorChanged() | VendorSuspended() | VendorReinstated():
            told = {"id": event.vendor_id, "version": event.version}
            yield Notice("vendor", told, (vendor_key(event.vendor_id), DESK))
        case _:
            return


def _product_changed(event: ProductChanged) -> Iterator[Notice]:
    told = {"id": event.product_id, "status": event.status, "version": event.version}
    yield Notice("product", told, (vendor_key(event.vendor_id), DESK))
    if event.status in (_SHOWN, "suspended", "archived"):
        shown = {"id": event.product_id, "version": event.version}
        yield Notice("product", shown, (EVERYBODY, product_key(event.product_id)))


def _stock_changed(event: StockChanged) -> Iterator[Notice]:
    told = {"product_id": event.product_id, "on_hand": event.on_hand, "version": event.version}
    yield Notice("stock", told, (vendor_key(event.vendor_id),))
    if (event.on_hand > 0) != (event.on_hand - event.delta > 0):
        shown = {"product_id": event.product_id, "in_stock": event.on_hand > 0}
        yield Notice("stock", shown, (product_key(event.product_id),))


def _job_failed(event: JobFailed) -> Iterator[Notice]:
    told = {"id": event.job_id, "type": event.job_type, "error": event.error_class}
    yield Notice("job-failed", told, (JOBS,))
    if event.vendor_id is not None:
        yield Notice("job-failed", {"id": event.job_id, "type": event.job_type}, (vendor_key(event.vendor_id),))
