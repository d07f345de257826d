"""The values of reporting: facts from events, a report, and the figures in it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shared.contracts.base import Money

ReportType = Literal["daily_sales", "daily_metrics", "vendor_performance", "catalog_quality"]
VendorReportType = Literal["daily_sales", "vendor_performance", "catalog_quality"]
"""The reports a vendor can ask for; `daily_metrics` is about the whole marketplace."""
SHORT_CHARS: Final = 120
"""A description below this tells a buyer little: about two lines on a phone."""
EARLIEST: Final = date(2000, 1, 1)
"""Nothing was sold before; a period can't begin earlier."""
TREND_DAYS: Final = 30
"""How many days, up to the last of its period, the trend of `vendor_performance` goes back."""


class ReportState(StrEnum):
    """Where a report stands."""

    PENDING = "pending"
    """Asked for; a job will build it. Figures of an earlier building may still be there."""
    READY = "ready"
    FAILED = "failed"
    """Its job failed for good, or nothing happened in its period; asking again tries again."""
    CANCELLED = "cancelled"
    """Nobody waits for it any more, and it has no figures; asking again has it built."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in a time zone, both ends inclusive."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def starts_at(self) -> datetime:
        """The first instant of the first day, UTC; also where the clock skips midnight."""
        return _midnight(self.first, self.zone)

    @property
    def ends_at(self) -> datetime:
        """The first instant after the last day, UTC."""
        return _midnight(self.last + timedelta(days=1), self.zone)

    @property
    def trend(self) -> "Period":
        """The `TREND_DAYS` up to its last day."""
        return Period(self.last - timedelta(days=TREND_DAYS - 1), self.last, self.zone)

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of it."""
        return tuple(self.first + timedelta(days=passed) for passed in range((self.last - self.first).days + 1))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # With fold 0 a skipped midnight is read by the offset before the change, which is the change itself.
    return datetime.combine(day, time(), zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class SoldLine:
    """One line of an order as it was sold; (order, line) is its identity. The price is of one piece."""

    order_id: UUID
    line: int
    vendor_id: UUID
    product_id: UUID
    title: str
    quantity: int
    unit_minor: int
    currency: str
    placed_at: datetime


class FactKind(StrEnum):
    """What happened, beside sales, that reports count: the event's type."""

    SUBMITTED = "product.submitted"
    APPROVED = "product.approved"
    REJECTED = "product.rejected"
    STOCK_LOW = "stock.low"
    STOCK_RECOVERED = "stock.recovered"
    STOCK_OUT = "stock.out"
    """Of a `stock.changed` that took the last piece."""
    JOB_FAILED = "job.failed"


@dataclass(frozen=True, slots=True)
class Fact:
    """One event that is counted. `label` is the job's type, or the codes of a rejection's reasons."""

    event_id: UUID
    kind: FactKind
    happened_at: datetime
    vendor_id: UUID | None
    subject_id: UUID
    label: str = ""


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event in its envelope, as JSON; `seq` is its place in the order of arrival."""

    seq: int
    body: str


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor as reporting knows it; without a zone its days are the marketplace's."""

    id: UUID
    name: str
    zone: ZoneInfo | None


@dataclass(frozen=True, slots=True)
class ToldProduct:
    """What one event tells of a product; None is what it does not tell."""

    id: UUID
    vendor_id: UUID
    version: int
    status: str
    title: str | None = None
    pictures: int | None = None
    description_chars: int | None = None


@dataclass(frozen=True, slots=True)
class SalesRow:
    """Sales of one day in one currency: a null day or currency is the sum over all of them."""

    day: date | None
    currency: str | None
    orders: int
    units: int
    gross: int
    cancelled_orders: int
    cancelled_units: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class TopRow:
    """One product in one currency."""

    product_id: UUID
    title: str
    units: int
    currency: str
    net: int


@dataclass(frozen=True, slots=True)
class HourRow:
    """Sales placed in one hour of the day, 0 to 23 by the clock, on any day of a period."""

    hour: int
    orders: int
    units: int


@dataclass(frozen=True, slots=True)
class VendorSalesRow:
    """Sales of one vendor: a null currency is the sum over all of them."""

    vendor_id: UUID
    currency: str | None
    orders: int
    units: int
    cancelled_orders: int
    net: int


@dataclass(frozen=True, slots=True)
class VendorFactRow:
    """How often a thing happened to one vendor."""

    vendor_id: UUID
    kind: FactKind
    count: int


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """What services measured in the hour or day that began at `at`, added up: how often, the sum, the extremes."""

    at: datetime
    name: str
    label: str
    count: int
    total: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class FactRow:
    """How often a thing happened on a day."""

    day: date
    kind: FactKind
    label: str
    count: int


class Figures(BaseModel):
    """Base of what is in a report; stored as JSON."""

    model_config = ConfigDict(frozen=True)


class Sales(Figures):
    """Sales of a day or of a period, by the time the order was placed.

    `orders`, `units` and `gross` count everything that was placed, also what was cancelled since; `cancelled_*` is how
    much of that was; `net` is the difference. An order with two currencies is one order.
    """

    orders: int = 0
    units: int = 0
    cancelled_orders: int = 0
    cancelled_units: int = 0
    gross: tuple[Money, ...] = ()
    cancelled: tuple[Money, ...] = ()
    net: tuple[Money, ...] = ()


class DaySales(Sales):
    """One day's."""

    day: date


class HourSales(Figures):
    """What was placed in one hour of the day, 0 to 23, on all days of a period; also what was cancelled since."""

    hour: int
    orders: int
    units: int


class TopProduct(Figures):
    """A product by units sold and not cancelled."""

    product_id: UUID
    title: str
    units: int
    net: tuple[Money, ...]


class DailySales(Figures):
    """`daily_sales`: what was sold, of one vendor or (null) of the whole marketplace."""

    type: Literal["daily_sales"] = "daily_sales"
    totals: Sales
    days: tuple[DaySales, ...]
    top_products: tuple[TopProduct, ...]
    hours: tuple[HourSales, ...] = ()


class Activity(Figures):
    """What happened in a day or a period, in numbers."""

    products_submitted: int = 0
    products_approved: int = 0
    products_rejected: int = 0
    stock_alerts: int = 0
    jobs_failed: int = 0


class DayMetrics(Figures):
    """One day's."""

    day: date
    sales: Sales
    activity: Activity


class FailedJobs(Figures):
    """How many jobs of a type failed for good."""

    job_type: str
    count: int


class Lasting(Figures):
    """How long something took, in milliseconds: the mean, and the longest."""

    mean_ms: int
    longest_ms: int


class JobWork(Figures):
    """What became of the jobs of a type; `wait` is until the first attempt, `run` the last one. Null without any."""

    job_type: str
    completed: int
    failed: int
    cancelled: int
    wait: Lasting | None = None
    run: Lasting | None = None


class FailureCause(Figures):
    """How many jobs of a type failed for good with an error of a class."""

    job_type: str
    error_class: str
    count: int


class CacheUse(Figures):
    """How often a cache of all gateways was asked, and how often it knew."""

    cache: str
    hits: int
    misses: int


class HealthScore(Figures):
    """The health score over some time: 100 is well."""

    mean: int
    lowest: int


class Slot(Figures):
    """What services measured in one hour of a day, or one day of a longer period. `health` is null when none looked."""

    at: datetime
    jobs_completed: int = 0
    jobs_failed: int = 0
    mails_sent: int = 0
    images_processed: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    health: HealthScore | None = None


class Work(Figures):
    """What the services measured of themselves; `slots` are the hours of one day, or the days of a longer period.

    `is_whole` is false while a service has not told of the last hour.
    """

    is_whole: bool = True
    mails_sent: int = 0
    mails_refused: int = 0
    mails_failed: int = 0
    images_processed: int = 0
    images_failed: int = 0
    jobs: tuple[JobWork, ...] = ()
    failures: tuple[FailureCause, ...] = ()
    caches: tuple[CacheUse, ...] = ()
    health: HealthScore | None = None
    slots: tuple[Slot, ...] = ()


class DailyMetrics(Figures):
    """`daily_metrics`: the whole marketplace's day for its operator.

    `products` counts them by state, as told last within the period, else as it stands. `work` is null where no
    service told of an hour of the period.
    """

    type: Literal["daily_metrics"] = "daily_metrics"
    sales: Sales
    activity: Activity
    days: tuple[DayMetrics, ...]
    failed_jobs: tuple[FailedJobs, ...]
    products: tuple[tuple[str, int], ...] = ()
    work: Work | None = None


class Decisions(Figures):
    """What became of submissions. `median_seconds` is from a submission to its decision, null without any."""

    submitted: int = 0
    approved: int = 0
    rejected: int = 0
    median_seconds: int | None = None


class VendorFigures(Figures):
    """One vendor beside the others; `name` is empty while reporting has not heard it."""

    vendor_id: UUID
    name: str
    orders: int
    units: int
    cancelled_orders: int
    net: tuple[Money, ...]
    submitted: int
    approved: int
    rejected: int
    stock_outs: int


class VendorPerformance(Figures):
    """`vendor_performance`: how one vendor, or (null) all of them, did.

    `low_stock_days` are days of the period on which at least one product was low for a moment, `stock_outs` how often
    a product's last piece went. `trend` are the sales of the 30 days up to the period's last.
    """

    type: Literal["vendor_performance"] = "vendor_performance"
    sales: Sales
    trend: tuple[DaySales, ...]
    decisions: Decisions
    stock_outs: int
    low_stock_days: int
    vendors: tuple[VendorFigures, ...] = ()


class Reason(Figures):
    """How often something was a reason to reject."""

    code: str
    count: int


class PoorProduct(Figures):
    """A product that could be shown better, and in how many pieces it is; null where that was not told."""

    product_id: UUID
    title: str
    vendor_name: str
    pictures: int | None
    description_chars: int | None


class CatalogQuality(Figures):
    """`catalog_quality`: what is in the catalogue as it stands, and what was rejected in the period.

    `poor` are the products to look at first, at most a hundred; the counts are of all.
    """

    type: Literal["catalog_quality"] = "catalog_quality"
    products: int
    without_picture: int
    short_description: int
    reasons: tuple[Reason, ...]
    poor: tuple[PoorProduct, ...]


AnyFigures = DailySales | DailyMetrics | VendorPerformance | CatalogQuality
FIGURES: TypeAdapter[AnyFigures] = TypeAdapter(Annotated[AnyFigures, Field(discriminator="type")])


@dataclass(frozen=True, slots=True)
class Report:
    """A report's row. There is one for each type, scope (a vendor, or null: the marketplace) and period.

    `round` counts how often it was asked for; `is_due` is one that nobody asked for, its day was over. `figures_at` is
    when the figures were taken; they stay readable while a newer building is pending. `changes` counts what happened
    late on its days, `revisions` how often figures were replaced because of it. `request_id` is the event that asked
    last, `job_id` the job that built last. `progress` is the share that is done, 0 to 1, while it is being built.
    """

    id: UUID
    type: ReportType
    vendor_id: UUID | None
    period: Period
    state: ReportState
    round: int
    requested_at: datetime
    request_id: UUID | None = None
    job_id: UUID | None = None
    figures: AnyFigures | None = None
    figures_at: datetime | None = None
    error: str | None = None
    changes: int = 0
    revisions: int = 0
    is_due: bool = False
    vendor_name: str = ""
    progress: float | None = None

    @property
    def is_revised(self) -> bool:
        """Whether figures that were there were replaced because something came late."""
        return self.revisions > 0
