"""Row versions at the HTTP edge: `If-Match` to change."""

import re
from typing import Final

from aiohttp import web

from shared.errors import Stale

_ETAG: Final = re.compile(r'(?:W/)?"(\d{1,9})(?:\.\d{1,18})*"')


class VersionMismatch(Stale):
    """Somebody changed it in between; read it again and decide."""

    code = "version_mismatch"


def version_looked_at(request: web.Request) -> int | None:
    """The row's version in `If-Match` where giving it is up to the caller. Raises `VersionMismatch`."""
    return expected_version(request) if "If-Match" in request.headers else None


def expected_version(request: web.Request) -> int:
    """The row's version in `If-Match`: the first part of an ETag, since a product's tells of its stock and vendor too.

    Raises 428 when there is none, `VersionMismatch` when it is no ETag of ours.
    """
    given = request.headers.get("If-Match")
    if given is None:
        raise web.HTTPPreconditionRequired(reason="Send If-Match with the ETag of what you read.")
    match = _ETAG.fullmatch(given.strip())
    if match is None:
        raise VersionMismatch("If-Match names no version of this.")
    return int(match[1])
