"""How pages say amounts, times and states. No I/O."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from services.catalog.monitoring.models import HealthStatus, TermName
from services.catalog.products.models import Status
from shared.contracts.base import Money
from shared.currencies import minor_digits

_SYMBOLS: Final[Mapping[str, str]] = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "CHF": "CHF\u00a0"}
_STEPS: Final = ((60, "minute"), (3600, "hour"), (86_400, "day"), (604_800, "week"), (2_592_000, "month"))
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("HeadlessChrome/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Python/", "A Python program"),
)
"""The first that fits: most browsers name others as well."""
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_LENGTHS: Final = ((86_400, "days"), (3600, "h"), (60, "min"))

STATUS_WORDS: Final[Mapping[Status, tuple[str, str]]] = {
    Status.DRAFT: ("Draft", "quiet"),
    Status.PENDING: ("In review", "info"),
    Status.APPROVED: ("On sale", "good"),
    Status.REJECTED: ("Changes needed", "bad"),
    Status.SUSPENDED: ("Suspended", "warn"),
    Status.ARCHIVED: ("Archived", "quiet"),
}
"""What a vendor reads for a status, and the tone of its badge."""
DEEDS: Final[Mapping[str, str]] = {
    "product.created": "Created",
    "product.submitted": "Submitted for review",
    "product.withdrawn": "Taken back",
    "product.approved": "Approved",
    "product.rejected": "Changes asked for",
    "product.suspended": "Suspended",
    "product.reinstated": "On sale again",
    "product.archived": "Archived",
    "product.change_proposed": "Change proposed",
    "product.change_approved": "Change approved",
    "product.change_rejected": "Change refused",
    "product.change_withdrawn": "Change taken back",
    "product.changed": "Changed",
    "image.added": "Picture added",
    "image.deleted": "Picture taken away",
    "image.retried": "Picture tried again",
    "stock.threshold_set": "Low-stock level set",
    "vendor.created": "Vendor let in",
    "vendor.changed": "Vendor changed",
    "vendor.suspended": "Vendor suspended",
    "vendor.reinstated": "Vendor reinstated",
    "account.changed": "Account changed",
    "api_key.created": "API key made",
    "api_key.revoked": "API key revoked",
    "session.revoked": "Signed out elsewhere",
    "sessions.revoked": "Signed out everywhere else",
    "cache.cleared": "Caches cleared",
}
"""What people did, by the action in the audit lines."""

HEALTH_WORDS: Final[Mapping[HealthStatus, tuple[str, str]]] = {
    HealthStatus.EXCELLENT: ("Excellent", "good"),
    HealthStatus.GOOD: ("Good", "good"),
    HealthStatus.DEGRADED: ("Degraded", "warn"),
    HealthStatus.CRITICAL: ("Critical", "bad"),
}
"""What an operator reads for the health, and its tone."""
TERM_WORDS: Final[Mapping[TermName, str]] = {
    TermName.DATABASE: "Database",
    TermName.EVENT_STREAM: "Event stream",
    TermName.WORKERS: "Types without a worker",
    TermName.OUTBOX: "Outbox of the catalogue",
    TermName.JOBS_SERVICE: "Jobs service",
    TermName.JOBS_OUTBOX: "Outbox of the ledger",
    TermName.WAITING: "Jobs that wait",
    TermName.BREAKERS: "Open breakers",
    TermName.PAUSED: "Paused types",
    TermName.FAILURES: "Failed jobs",
    TermName.DEAD_LETTERS: "Dead letters",
    TermName.SCHEDULER: "Scheduler",
    TermName.CACHE: "Cache hit rate",
}
"""What people call the terms of the score."""
TERM_PAGES: Final[Mapping[TermName, str]] = {
    TermName.WORKERS: "/admin/workers",
    TermName.WAITING: "/admin/queues",
    TermName.BREAKERS: "/admin/jobs/types",
    TermName.PAUSED: "/admin/jobs/types",
    TermName.FAILURES: "/admin/jobs/failures",
    TermName.DEAD_LETTERS: "/admin/dead-letters",
    TermName.SCHEDULER: "/admin/schedules",
    TermName.CACHE: "/admin/caches",
}
"""Where what a term observes can be looked into."""


def deed(action: str) -> str:
    """An action of the audit log in words; one that has none is named as it is."""
    return DEEDS.get(action) or action.replace(".", " ").replace("_", " ").capitalize()


def money(amount: Money) -> str:
    """`€1,234.50`; the code of the currency where it has no sign that all know."""
    return money_minor(amount.amount_minor, amount.currency)


def money_minor(amount_minor: int, currency: str) -> str:
    """As `money`, of the parts."""
    sign = _SYMBOLS.get(currency, f"{currency}\u00a0")
    return f"{sign}{decimal(amount_minor, currency, grouped=True)}"


def decimal(amount_minor: int, currency: str, *, grouped: bool = False) -> str:
    """`1234.50`, as a price is typed."""
    digits = minor_digits(currency)
    major, minor = divmod(amount_minor, 10**digits)
    whole = f"{major:,}" if grouped else str(major)
    return f"{whole}.{minor:0{digits}d}" if digits else whole


def ago(moment: datetime, now: datetime) -> str:
    """`3 hours ago`; scripts keep it true while the page is open."""
    seconds = max(0, int((now - moment).total_seconds()))
    if seconds < 60:
        return "just now"
    size, unit = next((step for step in reversed(_STEPS) if seconds >= step[0]), _STEPS[0])
    count = seconds // size
    return f"{count} {unit}{'' if count == 1 else 's'} ago"


def exactly(moment: datetime) -> str:
    """`24 Nov 2026, 03:39 UTC`."""
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def lasting(seconds: float) -> str:
    """How long something takes or has waited: `0.4 s`, `40 s`, `12 min`, `3 h`, `5 days`."""
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    size, unit = next((step for step in _LENGTHS if seconds >= 2 * step[0]), _LENGTHS[-1])
    return f"{int(seconds // size)} {unit}"


def browser(user_agent: str) -> str:
    """`Firefox on Linux`: as much of a `User-Agent` header as its owner knows it by."""
    name = next((said for mark, said in _BROWSERS if mark in user_agent), "Something else")
    system = next((said for mark, said in _SYSTEMS if mark in user_agent), "")
    return f"{name} on {system}" if system else name


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 product`, `2 products`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
