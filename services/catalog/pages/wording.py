"""How pages say amounts, times and states. No I/O."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from services.catalog.products.models import Status
from shared.contracts.base import Money
from shared.currencies import minor_digits

_SYMBOLS: Final[Mapping[str, str]] = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "CHF": "CHF\u00a0"}
_STEPS: Final = ((60, "minute"), (3600, "hour"), (86_400, "day"), (604_800, "week"), (2_592_000, "month"))

STATUS_WORDS: Final[Mapping[Status, tuple[str, str]]] = {
    Status.DRAFT: ("Draft", "quiet"),
    Status.PENDING: ("In review", "info"),
    Status.APPROVED: ("On sale", "good"),
    Status.REJECTED: ("Changes needed", "bad"),
    Status.SUSPENDED: ("Suspended", "warn"),
    Status.ARCHIVED: ("Archived", "quiet"),
}
"""What a vendor reads for a status, and the tone of its badge."""


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


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 product`, `2 products`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
