"""Who is charged for a request: a vendor with all its people and keys, an account, or an address."""

import hashlib
from collections import OrderedDict
from typing import Final

from aiohttp import web

from services.catalog.clients import Clients
from shared.web.identity import Identity

MAX_CREDENTIALS: Final = 20_000


class Subjects:
    """Knows credentials that proved right, so that who sends one can be charged before anything is looked up.

    What is not known is charged to its address: guessing keys costs the guesser. A vendor has one share however many
    keys it makes, so no vendor takes another's.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._known: OrderedDict[bytes, str] = OrderedDict()

    def of(self, request: web.BaseRequest) -> str:
        """Whom to charge."""
        credential = _credential(request)
        known = None if credential is None else self._known.get(credential)
        return known or self._clients.address_of(request)

    def proved(self, request: web.BaseRequest, identity: Identity) -> None:
        """The request's credentials belong to this caller."""
        credential = _credential(request)
        if credential is not None:
            self._known[credential] = (
                f"account:{identity.account_id}" if identity.vendor_id is None else f"vendor:{identity.vendor_id}"
            )
            self._known.move_to_end(credential)
            if len(self._known) > MAX_CREDENTIALS:
                self._known.popitem(last=False)

    def disproved(self, request: web.BaseRequest) -> None:
        """They are nobody's, or nobody's any more."""
        credential = _credential(request)
        if credential is not None:
            self._known.pop(credential, None)


def _credential(request: web.BaseRequest) -> bytes | None:
    """A digest of all that tells who asks; secrets themselves are not kept."""
    told = request.headers.get("Authorization") or request.headers.get("Cookie")
    return None if told is None else hashlib.blake2b(told.encode(errors="surrogateescape"), digest_size=16).digest()
