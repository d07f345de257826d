"""`/admin`: what needs the marketplace today."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from services.catalog.approval.usecases import Approval
from services.catalog.monitoring.models import Asker, Term
from services.catalog.monitoring.usecases import Monitoring, Sight
from services.catalog.pages.vendor_home import Task
from services.catalog.pages.view import View
from services.catalog.pages.wording import HEALTH_WORDS, TERM_WORDS, counted
from services.catalog.products.store import WaitingCounts
from shared.web.identity import IDENTITY, Role
from shared.web.problems import REQUEST_ID

SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminHome:
    """The first page of admins and operators."""

    view: View
    approval: Approval
    monitoring: Monitoring

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [web.get("/admin", self.today)]

    async def today(self, request: web.Request) -> web.Response:
        """What waits for a decision, what lowers the health score, and the figures of the work. Works half blind."""
        identity = request[IDENTITY]
        sight = await self.monitoring.look(Asker(identity, request[REQUEST_ID]))
        is_admin = identity.role is Role.ADMIN
        counts = await self.approval.waiting_counts() if is_admin else None
        return await self.view.page(
            request,
            "admin/today.html.jinja",
            sight=sight,
            tasks=[*_decisions(counts), *_troubles(sight)],
            counts=counts,
            oldest=await self.approval.waiting(limit=SHOWN) if is_admin else [],
            health_words=HEALTH_WORDS,
        )


def _decisions(counts: WaitingCounts | None) -> Iterator[Task]:
    if counts is None:
        return
    if counts.new:
        title = f"{counted(counts.new, 'product')} {'waits' if counts.new == 1 else 'wait'} for a decision"
        yield Task("info", "check", title, "Their vendors cannot sell them until then.", "/admin/approvals?kind=new")
    if counts.changes:
        title = f"{counted(counts.changes, 'change')} to look at"
        yield Task(
            "info", "layers", title, "Of products that are on sale as they were.", "/admin/approvals?kind=changes"
        )


def _troubles(sight: Sight) -> Iterator[Task]:
    """What lowers the score, the dearest first."""
    for term in sorted(sight.health.terms, key=lambda one: -one.cost):
        if term.cost:
            yield Task(_tone(term), "heart", TERM_WORDS[term.name], term.note or term.advice or "", "/admin/monitoring")


def _tone(term: Term) -> str:
    return "bad" if term.cost * 2 >= term.weight else "warn"
