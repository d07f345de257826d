"""Who asks for a page that is not for everybody."""

from uuid import UUID

from aiohttp import web

from shared.web.identity import IDENTITY


def vendor_of(request: web.Request) -> UUID:
    """Whose pages these are."""
    vendor_id = request[IDENTITY].vendor_id
    assert vendor_id is not None, "the access table lets only vendors in here"
    return vendor_id
