"""`/admin/monitoring`: how the whole installation does, why, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from services.catalog.cache import store as caches
from services.catalog.cache.schemas import summed
from services.catalog.monitoring.models import RULES, Asker, Term, TermName
from services.catalog.monitoring.neighbours import Neighbours, TypeSeen
from services.catalog.monitoring.recorder import SAMPLE_SECONDS, Moment, Recorder
from services.catalog.monitoring.usecases import Monitoring
from services.catalog.pages.view import View
from services.catalog.pages.wording import HEALTH_WORDS, TERM_PAGES, TERM_WORDS, lasting
from shared.db.pool import Pool, connection
from shared.errors import Unavailable
from shared.web.identity import IDENTITY, Role
from shared.web.problems import REQUEST_ID

LINES: Final = 40
MAILS, PICTURES = "send-email", "process-image"


@dataclass(frozen=True, slots=True)
class Judged:
    """A term as people read it."""

    name: str
    term: Term
    value: str
    fine: str
    observes: str
    advice: str
    path: str
    """Where it can be looked into; empty where no page tells more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminMonitoring:
    """The one page. Whatever does not answer is named as that; the rest is shown."""

    view: View
    monitoring: Monitoring
    recorder: Recorder
    services: Neighbours
    pool: Pool

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [web.get("/admin/monitoring", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """Everything as it is now."""
        asker = Asker(request[IDENTITY], request[REQUEST_ID])
        sight = await self.monitoring.look(asker)
        types, why = await self._types(asker)
        async with connection(self.pool) as conn:
            replicas = await caches.replicas(conn)
        moments = list(self.recorder.moments)
        by_type = {one.type: one for one in types}
        return await self.view.page(
            request,
            "admin/monitoring.html.jinja",
            sight=sight,
            word=HEALTH_WORDS[sight.health.status],
            terms=sorted(map(_judged, sight.health.terms), key=lambda one: -one.term.cost),
            replicas=replicas,
            caches=summed(replicas),
            types=sorted(types, key=lambda one: (-one.oldest_waiting_seconds, one.type)),
            why_no_types=why,
            outcomes=[(name, by_type[kind]) for name, kind in _OUTCOMES if kind in by_type],
            charts=charts(moments),
            traffic=lately(moments),
            lines=self.recorder.told(is_admin=request[IDENTITY].role is Role.ADMIN)[:LINES],
        )

    async def _types(self, asker: Asker) -> tuple[Sequence[TypeSeen], str]:
        try:
            return await self.services.types(asker), ""
        except Unavailable as exc:
            return (), exc.detail


_OUTCOMES: Final = (("E-mails", MAILS), ("Pictures", PICTURES))
_ADVICE: Final = {rule.name: rule for rule in RULES}


@dataclass(frozen=True, slots=True)
class Chart:
    """A line over the last half hour. None is a gap; `top` is the least that the scale reaches."""

    title: str
    unit: str
    values: Sequence[float | None]
    top: float
    tone: str = ""

    @property
    def now(self) -> str:
        """The newest value."""
        value = self.values[-1] if self.values else None
        if value is None:
            return "-"
        return f"{value:,.0f}{self.unit}" if value >= 10 or value == int(value) else f"{value:.1f}{self.unit}"


@dataclass(frozen=True, slots=True)
class Lately:
    """The requests of the last minute."""

    per_second: float
    errors: int
    p50_ms: float | None
    p95_ms: float | None


def charts(moments: Sequence[Moment]) -> list[Chart]:
    """What is drawn of the moments."""
    return [
        Chart("Health", "", [one.score for one in moments], top=100),
        Chart("Requests a second", "", [one.requests / SAMPLE_SECONDS for one in moments], top=1),
        Chart("95 % answered within", " ms", [one.p95_ms for one in moments], top=50),
        Chart("Errors (5xx)", "", [one.errors for one in moments], top=5, tone="bad"),
        Chart("Jobs to do", "", [one.open_jobs for one in moments], top=10),
        Chart("Oldest event in the outbox", " s", [one.outbox_seconds for one in moments], top=10),
    ]


def lately(moments: Sequence[Moment]) -> Lately:
    """The last six moments as one; latencies are the worst of them."""
    some = moments[-6:]
    seconds = max(1.0, SAMPLE_SECONDS * len(some))
    return Lately(
        per_second=sum(one.requests for one in some) / seconds,
        errors=sum(one.errors for one in some),
        p50_ms=max((one.p50_ms for one in some if one.p50_ms is not None), default=None),
        p95_ms=max((one.p95_ms for one in some if one.p95_ms is not None), default=None),
    )


def _judged(term: Term) -> Judged:
    rule = _ADVICE[term.name]
    return Judged(
        name=TERM_WORDS[term.name],
        term=term,
        value=valued(term.value, term.unit),
        fine=_fine(term),
        observes=rule.observes,
        advice=rule.advice,
        path=TERM_PAGES.get(term.name, ""),
    )


def valued(value: float | None, unit: str) -> str:
    """A term's value with its unit."""
    match unit:
        case _ if value is None:
            return "not seen"
        case "s":
            return lasting(value)
        case "ms":
            return f"{value:,.0f} ms"
        case "share":
            return f"{100 * value:.1f} %"
        case "live":
            return "live" if value else "not live"
        case _:
            return f"{value:,.0f}"


def _fine(term: Term) -> str:
    """What costs nothing."""
    if term.name is TermName.EVENT_STREAM:
        return "live"
    return f"{'from' if term.full < term.fine else 'up to'} {valued(term.fine, term.unit)}"
