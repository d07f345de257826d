"""What happened to a product, in words and with names, from its audit lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.catalog.approval.models import REASON_TEXTS, ReasonCode
from services.catalog.pages import store
from services.catalog.pages.wording import deed
from shared.db.pool import Pool, connection
from shared.web.audit import Line
from shared.web.identity import Role

SOUK: Final = "Souk"
"""Who did what nobody did."""
ENDINGS: Final[Mapping[str, str]] = {
    "product.approved": "approved it",
    "product.rejected": "asked for changes",
    "product.withdrawn": "took it back",
    "product.suspended": "suspended it",
    "product.archived": "archived it",
    "product.change_approved": "approved the change",
    "product.change_rejected": "refused the change",
    "product.change_withdrawn": "took the change back",
}
"""What ends the wait for a decision."""


@dataclass(frozen=True, slots=True)
class Told:
    """One deed. `reasons` are in the marketplace's words and in the reviewer's."""

    action: str
    words: str
    who: str
    is_ours: bool
    at: datetime
    reasons: Sequence[tuple[str, str]]
    note: str


async def told(pool: Pool, lines: Sequence[Line]) -> list[Told]:
    """The same lines with who did it."""
    ids = {line.account_id for line in lines if line.account_id is not None}
    async with connection(pool) as conn:
        names = await store.names(conn, ids)
    return [_told(line, names) for line in lines]


def explained(reasons: Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    """Why it was turned down: in the marketplace's words, and in the reviewer's."""
    codes = set(ReasonCode)
    return [
        (REASON_TEXTS[ReasonCode(reason["code"])] if reason["code"] in codes else reason["code"], reason["note"])
        for reason in reasons
    ]


def _told(line: Line, names: Mapping[UUID, str]) -> Told:
    detail: Mapping[str, Any] = line.detail
    return Told(
        action=line.action,
        words=deed(line.action),
        who=SOUK if line.account_id is None else names.get(line.account_id, SOUK),
        is_ours=line.role in (Role.ADMIN, Role.OPS),
        at=line.at,
        reasons=explained(detail.get("reasons", ())),
        note=detail.get("note", ""),
    )
