"""The audit log of all services as one: the catalog's own lines and what its neighbours tell, newest first.

Lines are merged by their ids, which rise with time in every service, so that one place in the list is a place in each.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from yarl import URL

from services.catalog.audit import entries
from services.catalog.monitoring.models import Asker, Heard
from services.catalog.monitoring.neighbours import heard
from services.catalog.proxy import Upstream
from shared.db.pool import Pool, connection
from shared.errors import Unavailable
from shared.web.audit import Line

AUDIT: Final = URL("/api/admin/audit")
OURS: Final = "catalog"


class _Object(Heard):
    kind: str
    id: str


class _HeardLine(Heard):
    id: UUID
    at: datetime
    account_id: UUID | None
    role: str
    action: str
    object: _Object
    detail: dict[str, Any]
    request_id: str | None


class _Lines(Heard):
    """`GET /api/admin/audit` of a neighbour."""

    items: tuple[_HeardLine, ...]


@dataclass(frozen=True, slots=True)
class Deed:
    """A line, and the service that wrote it."""

    service: str
    line: Line


@dataclass(frozen=True, slots=True)
class Missing:
    """A service whose lines are not in an answer, because it is away. They come when the list is read anew."""

    service: str
    why: str


@dataclass(frozen=True, slots=True)
class Part:
    """Of one list: lines newest first, and who is missing."""

    deeds: Sequence[Deed]
    missing: Sequence[Missing] = ()


class AuditLog:
    """Reads the logs of this service and of its neighbours side by side."""

    def __init__(self, pool: Pool, neighbours: Sequence[Upstream]) -> None:
        self._pool = pool
        self._neighbours = neighbours

    async def below(self, position: UUID, *, limit: int, about: tuple[str, str] | None, asker: Asker) -> Part:
        """The newest `limit` lines below a position, of everything or `about` one (kind, id).

        Raises `Unavailable` when our own database is away; a neighbour that is away is named in the answer.
        """
        parts = await asyncio.gather(
            self._ours(position, limit, about),
            *(_told(one, position, limit, about, asker) for one in self._neighbours),
        )
        deeds = sorted((deed for part in parts for deed in part.deeds), key=lambda deed: deed.line.id, reverse=True)
        return Part(deeds[:limit], [missing for part in parts for missing in part.missing])

    async def _ours(self, position: UUID, limit: int, about: tuple[str, str] | None) -> Part:
        async with connection(self._pool) as conn:
            return Part([Deed(OURS, line) for line in await entries(conn, below=position, limit=limit, about=about)])


async def _told(neighbour: Upstream, position: UUID, limit: int, about: tuple[str, str] | None, asker: Asker) -> Part:
    asked = {"cursor": str(position), "limit": str(limit)}
    if about is not None:
        asked |= {"kind": about[0], "id": about[1]}
    try:
        lines = await heard(neighbour, AUDIT % asked, _Lines, asker)
    except Unavailable as exc:
        return Part([], [Missing(neighbour.service, exc.detail)])
    return Part([Deed(neighbour.service, _line(line)) for line in lines.items])


def _line(line: _HeardLine) -> Line:
    return Line(
        id=line.id,
        at=line.at,
        account_id=line.account_id,
        role=line.role,
        action=line.action,
        object_kind=line.object.kind,
        object_id=line.object.id,
        detail=line.detail,
        request_id=line.request_id,
    )
