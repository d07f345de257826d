"""Every event there is. One writer each; the catalog writes where nothing else is said."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, NonNegativeInt, PositiveInt

from shared.contracts.base import Audience, Contract, Event, Money, Priority, Reason, Text


class ProductEvent(Event):
    """A fact about one product. `version` is the product row's and only rises; a reader ignores an older one."""

    subject_field = "product_id"
    product_id: UUID
    version: PositiveInt


class ProductSubmitted(ProductEvent):
    """A vendor asks for approval of a product (`round` counts the times it was asked).

    `is_change`: the product is in the catalogue as it is, and what waits is what would be changed of it. `pictures` and
    `description_chars` count what there is of them.
    """

    type = "product.submitted"
    sku: Text
    title: Text
    vendor_name: Text
    price: Money
    round: PositiveInt = 1
    is_change: bool = False
    pictures: NonNegativeInt | None = None
    description_chars: NonNegativeInt | None = None


class ProductApproved(ProductEvent):
    """An admin let the product into the catalogue, or (`is_change`) what its vendor would change of it."""

    type = "product.approved"
    title: Text
    slug: Text
    is_change: bool = False


class ProductRejected(ProductEvent):
    """An admin turned the product down; the vendor may change and resubmit it.

    `is_change`: only what would be changed of it; the product stays in the catalogue as it is.
    """

    type = "product.rejected"
    title: Text
    reasons: tuple[Reason, ...]
    is_change: bool = False


class ProductChanged(ProductEvent):
    """Something shown of the product is different: every cached copy of an older version is stale."""

    type = "product.changed"
    slug: Text
    status: Text
    pictures: NonNegativeInt | None = None
    description_chars: NonNegativeInt | None = None


class ProductArchived(ProductEvent):
    """The vendor took the product out of the catalogue for good."""

    type = "product.archived"


class ProductSuspended(ProductEvent):
    """An admin took an approved product out of sight."""

    type = "product.suspended"
    title: Text
    note: Annotated[str, Field(max_length=1000)] = ""


class ProductReinstated(ProductEvent):
    """An admin put a suspended product back."""

    type = "product.reinstated"
    title: Text


class ImageAdded(Event):
    """A picture came with a product or an upload and wants its renditions.

    `source` is a blob key of an upload (`blob:…`) or the address of a remote picture.
    `round` rises when no answer came and the picture is asked for again.
    """

    type = "image.added"
    subject_field = "image_id"
    image_id: UUID
    product_id: UUID
    source: Annotated[str, Field(max_length=2000)]
    round: PositiveInt = 1


class Rendition(Contract):
    """One size and format of a picture, stored under `key`. Sizes in pixels and bytes."""

    preset: Text
    format: Text
    width: PositiveInt
    height: PositiveInt
    bytes: PositiveInt
    key: Annotated[str, Field(max_length=300)]


class ImageProcessed(Event):
    """The renditions of a picture are stored. Written by imaging, which keeps no rows: it may come twice."""

    type = "image.processed"
    subject_field = "image_id"
    image_id: UUID
    product_id: UUID
    round: PositiveInt
    original_key: Annotated[str, Field(max_length=300)]
    width: PositiveInt
    height: PositiveInt
    placeholder: Annotated[str, Field(max_length=2000)]
    renditions: tuple[Rendition, ...]


class ImageFailed(Event):
    """A picture could not be rendered; the vendor sees why. Derived by the catalog from `job.failed`."""

    type = "image.failed"
    subject_field = "image_id"
    image_id: UUID
    product_id: UUID
    reason: Text


class StockChanged(Event):
    """A product's stock level moved. Read by reporting and every gateway's cache.

    `delta` and `on_hand` are pieces, after the movement; `version` is the stock row's and only rises.
    """

    type = "stock.changed"
    subject_field = "product_id"
    product_id: UUID
    delta: int
    on_hand: NonNegativeInt
    version: PositiveInt
    cause: Text


class StockThresholdSet(Event):
    """A vendor said at which level a product is low. `version` is the stock row's and only rises."""

    type = "stock.threshold_set"
    subject_field = "product_id"
    product_id: UUID
    threshold: NonNegativeInt
    version: PositiveInt


class StockLow(Event):
    """A product fell to its threshold. Said once until it recovers."""

    type = "stock.low"
    subject_field = "product_id"
    product_id: UUID
    on_hand: NonNegativeInt
    threshold: NonNegativeInt


class LowProduct(Contract):
    """One line of a vendor's low-stock digest."""

    product_id: UUID
    sku: Text
    title: Text
    on_hand: NonNegativeInt
    threshold: NonNegativeInt


class StockLowDigest(Event):
    """Products of one vendor that fell low since it was last told: one mail, however many products.

    `products` are the most urgent; `more` counts those beyond them.
    """

    type = "stock.low_digest"
    subject_field = "vendor_id"
    products: tuple[LowProduct, ...]
    more: NonNegativeInt = 0


class StockRecovered(Event):
    """A product rose above its threshold again."""

    type = "stock.recovered"
    subject_field = "product_id"
    product_id: UUID
    on_hand: NonNegativeInt


class SyncRequested(Event):
    """A vendor's stock shall be brought in line with its own system; `round` rises when no worker answered."""

    type = "sync.requested"
    subject_field = "source_id"
    source_id: UUID
    run_id: UUID
    round: PositiveInt = 1


class SyncFailing(Event):
    """A vendor's stock source gave nothing usable `failures` times in a row. Said once until a run succeeds."""

    type = "sync.failing"
    subject_field = "source_id"
    source_id: UUID
    name: Text
    failures: PositiveInt
    problem: Text


class OrderLine(Contract):
    """One line of an order as it was sold."""

    product_id: UUID
    vendor_id: UUID
    quantity: PositiveInt
    unit_price: Money
    title: Text = ""


class OrderPlaced(Event):
    """A channel sold something; stock is already reduced."""

    type = "order.placed"
    subject_field = "order_id"
    order_id: UUID
    channel: Text
    placed_at: datetime
    lines: tuple[OrderLine, ...]


class OrderCancelled(Event):
    """A channel took an order back; stock is already returned."""

    type = "order.cancelled"
    subject_field = "order_id"
    order_id: UUID
    channel: Text
    placed_at: datetime
    cancelled_at: datetime
    lines: tuple[OrderLine, ...]


class VendorSuspended(Event):
    """A vendor may not sell for now; none of its products is shown."""

    type = "vendor.suspended"
    subject_field = "vendor_id"
    version: PositiveInt


class VendorReinstated(Event):
    """A suspended vendor may sell again."""

    type = "vendor.reinstated"
    subject_field = "vendor_id"
    version: PositiveInt


class VendorChanged(Event):
    """A vendor's name, slug, time zone or profile is different. Without a `time_zone` it keeps the marketplace's."""

    type = "vendor.changed"
    subject_field = "vendor_id"
    version: PositiveInt
    name: Text | None = None
    time_zone: Text | None = None


class AccountChanged(Event):
    """An account's name, address or membership changed: forget what is cached of an older version."""

    type = "account.changed"
    subject_field = "account_id"
    account_id: UUID
    version: PositiveInt


class CacheClearRequested(Event):
    """Every live gateway replica shall clear (or expire) its caches and say so in the request's row."""

    type = "cache.clear_requested"
    subject_field = "request_id"
    request_id: UUID
    mode: Literal["clear", "expire"]


class OutboxDrained(Event):
    """At the envelope's time nothing the catalog had written over a second before was still unpublished.

    The heartbeat of `events.stream`, sent by the relay past the outbox: who hears it has heard what came before it.
    """

    type = "outbox.drained"


class NotificationCreated(Event):
    """An in-app notification is waiting. Written by the notifier."""

    type = "notification.created"
    subject_field = "notification_id"
    notification_id: UUID
    audience: Audience
    kind: Text


class ReportRequested(Event):
    """Somebody asked for a report. Written by reporting with the report's row."""

    type = "report.requested"
    subject_field = "report_id"
    report_id: UUID
    report_type: Text
    period_from: date
    period_to: date
    round: PositiveInt = 1


class ReportFigure(Contract):
    """One number of a report's summary, as a person reads it."""

    label: Text
    value: Text
    note: Annotated[str, Field(max_length=500)] = ""


class ReportReady(Event):
    """A report can be opened. Written by reporting.

    `is_due`: nobody asked for it, it was due. `link` is the gateway's path to its page, good for a while and for
    whoever has it; `summary` are its key figures, `notes` what to look at, `charts` what each chart shows in
    a sentence.
    """

    type = "report.ready"
    subject_field = "report_id"
    report_id: UUID
    report_type: Text
    revised: bool = False
    is_due: bool = False
    period_from: date | None = None
    period_to: date | None = None
    link: Annotated[str, Field(max_length=500)] = ""
    summary: tuple[ReportFigure, ...] = ()
    notes: tuple[Text, ...] = ()
    charts: tuple[ReportFigure, ...] = ()


class ReportFailed(Event):
    """A report that somebody waits for will not come; `error` says why. Written by reporting."""

    type = "report.failed"
    subject_field = "report_id"
    report_id: UUID
    report_type: Text
    error: Text


class ScheduleDue(Event):
    """A timed task is due. Written by the scheduler, once for each slot of each entry.

    `due_at` is the slot, not the moment of writing. `overlap` says what the ledger does while the job of
    an earlier slot still runs: `skip` this one, `queue` it behind, or `allow` both.
    """

    type = "schedule.due"
    subject_field = "entry"
    entry: Text
    job_type: Text
    payload: dict[str, str | int | bool | None]
    due_at: datetime
    overlap: Literal["skip", "queue", "allow"] = "skip"
    priority: Priority | None = None


class JobFinished(Event):
    """What became of a scheduled slot's job. Written by the jobs ledger; `cause_id` is the slot's `schedule.due`.

    `started`: the job was made, or let go after it had been `queued` behind an earlier slot's. `skipped`: no job was
    made, since an earlier slot's was open. A job that failed and was retried by hand is told of again.
    """

    type = "job.finished"
    subject_field = "job_id"
    job_id: UUID
    job_type: Text
    cause_id: UUID
    outcome: Literal["started", "queued", "skipped", "completed", "failed", "cancelled"]


class JobFailed(Event):
    """A job is failed for good: out of attempts, or not worth another. Written by the jobs ledger."""

    type = "job.failed"
    subject_field = "job_id"
    job_id: UUID
    job_type: Text
    cause_id: UUID | None
    target: Text
    error_class: Text
    error_message: Annotated[str, Field(max_length=2048)]


class JobsChanged(Event):
    """Jobs of these types moved; a live page asks again. At most one a second of each ledger process."""

    type = "jobs.changed"
    types: tuple[Text, ...]


AtMost500Ids = Annotated[tuple[UUID, ...], Field(max_length=500)]


class SentEvents(Contract):
    """Events of one type by their ids; a message names at most 500 in all."""

    type: Text
    ids: AtMost500Ids


class Measure(Contract):
    """One number of an hour: how often (`count`), and of what was measured the sum, the least and the most.

    `label` tells measures of one name apart: a job's type, a product's state, a cache.
    """

    name: Text
    label: Text = ""
    count: NonNegativeInt
    total: int = 0
    least: int = 0
    most: int = 0


class MeasuresRecorded(Event):
    """What a service did in the hour that began at `hour`. Written once for each service and hour, by the service."""

    type = "measures.recorded"
    subject_field = "service"
    service: Text
    hour: datetime
    measures: tuple[Measure, ...]


class PublisherSeen(Event):
    """What a service published lately. Written by every relay, past the outbox; who reads one of the types and never
    saw an id that is named asks for it with `events.replay_requested`.

    `publisher` is the schema whose outbox holds the events.
    """

    type = "publisher.seen"
    subject_field = "publisher"
    publisher: Text
    sent: tuple[SentEvents, ...]


class EventsReplayRequested(Event):
    """Events that never came shall be published again. Written by whoever misses them, past the outbox.

    `publisher` is the schema whose relays are asked; the routing key ends in it. Without ids they shall announce all
    they keep: a queue is gone, and nobody knows what was in it.
    """

    type = "events.replay_requested"
    subject_field = "publisher"
    publisher: Text
    ids: AtMost500Ids


EVENTS: tuple[type[Event], ...] = (
    ProductSubmitted,
    ProductApproved,
    ProductRejected,
    ProductChanged,
    ProductArchived,
    ProductSuspended,
    ProductReinstated,
    ImageAdded,
    ImageProcessed,
    ImageFailed,
    StockChanged,
    StockThresholdSet,
    StockLow,
    StockLowDigest,
    StockRecovered,
    SyncRequested,
    SyncFailing,
    OrderPlaced,
    OrderCancelled,
    VendorSuspended,
    VendorReinstated,
    VendorChanged,
    AccountChanged,
    CacheClearRequested,
    OutboxDrained,
    NotificationCreated,
    ReportRequested,
    ReportReady,
    ReportFailed,
    ScheduleDue,
    JobFinished,
    JobFailed,
    JobsChanged,
    MeasuresRecorded,
    PublisherSeen,
    EventsReplayRequested,
)
EVENT_BY_TYPE: dict[str, type[Event]] = {event.type: event for event in EVENTS}
