"""The filters of the list of jobs, as the page's address holds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from shared.errors import FieldError, InvalidInput

NAMES: Final = ("type", "state", "priority", "cause", "q", "within", "since", "until")
WITHIN: Final[Mapping[str, tuple[str, timedelta]]] = {
    "15m": ("Last 15 minutes", timedelta(minutes=15)),
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last day", timedelta(days=1)),
    "7d": ("Last week", timedelta(days=7)),
}
SPANS: Final[Mapping[str, str]] = {"1h": "1 hour", "6h": "6 hours", "24h": "24 hours"}
"""How far back the charts go."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What was asked for, as it was typed; `span` is the charts'."""

    values: Mapping[str, str]
    span: str

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Filters":
        """Those of an address or a form; what is empty asks for nothing."""
        values = {name: given[name].strip() for name in NAMES if given.get(name, "").strip()}
        span = given.get("span", "")
        return cls(values, span if span in SPANS else next(iter(SPANS)))

    @property
    def in_address(self) -> dict[str, str]:
        """All of it, as an address holds it."""
        is_default = self.span == next(iter(SPANS))
        return {**self.values, **({} if is_default else {"span": self.span})}

    def asked(self, now: datetime) -> dict[str, str]:
        """As the jobs service takes it. Raises `InvalidInput` for what is no time."""
        asked = {name: value for name, value in self.values.items() if name not in ("within", "since", "until")}
        if within := WITHIN.get(self.values.get("within", "")):
            asked["since"] = (now - within[1]).isoformat()
        for name in ("since", "until"):
            if name in self.values:
                asked[name] = _moment(name, self.values[name]).isoformat()
        return asked

    def as_body(self, now: datetime) -> dict[str, str | int]:
        """As the bulk actions take it. Raises `InvalidInput`."""
        asked: dict[str, str | int] = dict(self.asked(now))
        priority = str(asked.get("priority", ""))
        if priority.isascii() and priority.isdigit():
            asked["priority"] = int(priority)
        return asked


def filters_of(request: web.Request) -> Filters:
    """Those of an address."""
    return Filters.of(request.query)


def _moment(name: str, text: str) -> datetime:
    """`2026-11-29T10:00`, in UTC where no zone is named."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InvalidInput(
            "This is no time.", errors=[FieldError(f"/{name}", "time", "a time such as 2026-11-29T10:00")]
        ) from exc
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
