"""`/admin/approvals`: what waits for a decision, the longest first, and decisions about several at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.approval.models import REASON_TEXTS, ReasonCode
from services.catalog.approval.schemas import RejectBody
from services.catalog.approval.usecases import Approval
from services.catalog.models import Actor
from services.catalog.pages.forms import fitted, read_form, whole_number
from services.catalog.pages.paging import Paging
from services.catalog.pages.view import View, done
from services.catalog.pages.wording import counted
from shared.contracts.base import Reason
from shared.errors import AppError, Conflict, InvalidInput, NotFound, Stale

A_PAGE: Final = 24
PICK: Final = "pick-"
NAMED: Final = 3
"""Of those that were not decided so many are named; the list shows the others."""
LATE: Final = (Conflict, Stale, NotFound)
"""Somebody was faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminApprovals:
    """The queue."""

    view: View
    approval: Approval

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [web.get("/admin/approvals", self.queue), web.post("/admin/approvals", self.decide)]

    async def queue(self, request: web.Request) -> web.Response:
        """New products and proposed changes, or one of both."""
        kind = _kind(request)
        paging = Paging(request, {} if kind is None else {"kind": kind})
        found = await self.approval.waiting(kind, behind=_behind(paging), limit=A_PAGE + 1)
        return await self.view.page(
            request,
            "admin/approvals.html.jinja",
            listed=paging.listed(found, A_PAGE, lambda one: [one.waits_since.isoformat(), str(one.id)]),
            kind=kind,
            counts=await self.approval.waiting_counts(),
            reasons=REASON_TEXTS,
            here=paging.address(),
        )

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """Approve or reject all that were picked, each by itself and as it was seen; say which were not."""
        values, kind = await read_form(request), _kind(request)
        back = "/admin/approvals" + (f"?kind={kind}" if kind else "")
        try:
            picked = _picked(values)
            reasons = _reasons(values) if values.get("then") == "reject" else None
        except InvalidInput as exc:
            return done(back, exc.errors[0].detail if exc.errors else exc.detail, tone="warn")
        if not picked:
            return done(back, "Nothing was chosen.", tone="warn")
        late = await self._decided(actor_of(request), picked, reasons)
        verb = "approved" if reasons is None else "sent back with your reason"
        said = f"{counted(len(picked) - len(late), 'product')} {verb}."
        return done(back, " ".join([said, *late[:NAMED]]), tone="warn" if late else "good")

    async def _decided(self, actor: Actor, picked: Mapping[UUID, int], reasons: Sequence[Reason] | None) -> list[str]:
        """Why some were not: a line for each. Killed in between, those decided until then stay decided."""
        late = []
        for product_id, version in picked.items():
            try:
                if reasons is None:
                    await self.approval.approve(actor, product_id, version=version)
                else:
                    await self.approval.reject(actor, product_id, reasons, version=version)
            except LATE as exc:
                late.append(f"One was not, for somebody was faster: {_lower(exc)}")
        return late


def _kind(request: web.Request) -> str | None:
    """What is looked at; anything else is everything."""
    given = request.query.get("kind", "")
    return given if given in ("new", "changes") else None


def _behind(paging: Paging) -> tuple[datetime, UUID] | None:
    behind = paging.behind()
    return None if behind is None else (datetime.fromisoformat(str(behind[0])), UUID(str(behind[1])))


def _picked(values: Mapping[str, str]) -> dict[UUID, int]:
    """What was ticked, with the version that was seen. Raises `InvalidInput`."""
    names = [name for name in values if name.startswith(PICK)]
    try:
        return {UUID(name.removeprefix(PICK)): whole_number(values, name) for name in names}
    except ValueError as exc:
        raise InvalidInput("The form does not fit.") from exc


def _reasons(values: Mapping[str, str]) -> list[Reason]:
    """The one reason for all. Raises `InvalidInput`."""
    code, note = values.get("reason", ""), values.get("note", "")
    if code not in set(ReasonCode):
        raise InvalidInput("Choose a reason: the vendors are told it.")
    return [one.reason() for one in fitted(RejectBody, {"reasons": [{"code": ReasonCode(code), "note": note}]}).reasons]


def _lower(error: AppError) -> str:
    return error.detail[:1].lower() + error.detail[1:]
