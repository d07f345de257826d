"""Who asks, as one service tells another: a signed token that holds for one call.

The gateway alone checks keys and sessions. It calls the other services with `Souk-Identity`, signed with the key of
the service that is called; they refuse anything else and check roles again.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import jwt
from aiohttp import web
from aiohttp.typedefs import Middleware

from shared.clock import utc_now
from shared.errors import Forbidden, Unauthorised
from shared.web.problems import Handler

HEADER: Final = "Souk-Identity"
LIFE_SECONDS: Final = 60
_ALGORITHM: Final = "HS256"


class Role(StrEnum):
    """What an account may be. A route names the roles it lets in."""

    VENDOR = "vendor"
    ADMIN = "admin"
    OPS = "ops"
    CHANNEL = "channel"
    SERVICE = "service"
    """Another service of ours; never an account."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is behind a request. `vendor_id` is set for vendors."""

    account_id: UUID
    role: Role
    vendor_id: UUID | None = None


IDENTITY: Final = web.RequestKey("identity", Identity)
NOBODY: Final = UUID(int=0)
"""The account id of a service that calls for itself."""


def sign(identity: Identity, *, service: str, key: str, method: str, path: str, request_id: str) -> str:
    """A token that lets `service` know who asks; it holds 60 s and for this method and path only."""
    claims = {
        "aud": service,
        "exp": utc_now() + timedelta(seconds=LIFE_SECONDS),
        "sub": str(identity.account_id),
        "role": identity.role.value,
        "vendor": None if identity.vendor_id is None else str(identity.vendor_id),
        "method": method,
        "path": path,
        "rid": request_id,
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def verify(token: str, *, service: str, key: str, method: str, path: str) -> Identity:
    """The identity in a token. Raises `Unauthorised` when it is forged, expired, or made for another call."""
    try:
        claims = jwt.decode(
            token, key, algorithms=[_ALGORITHM], audience=service, options={"require": ["exp", "aud", "sub"]}
        )
        if claims["method"] != method or claims["path"] != path:
            raise Unauthorised("The identity token was made for another call.")
        vendor = claims["vendor"]
        return Identity(UUID(claims["sub"]), Role(claims["role"]), None if vendor is None else UUID(vendor))
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError, AttributeError) as exc:
        raise Unauthorised(f"The identity token does not hold: {exc}") from exc


def identity_middleware(*, service: str, key: str) -> Middleware:
    """Let in only what carries a token for this very call; the identity is then `request[IDENTITY]`."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[IDENTITY] = verify(
            request.headers.get(HEADER, ""),
            service=service,
            key=key,
            method=request.method,
            path=request.path,
        )
        return await handler(request)

    return middleware


def require(request: web.Request, *roles: Role) -> Identity:
    """The caller, if it has one of the roles. Raises `Forbidden`."""
    identity = request[IDENTITY]
    if identity.role not in roles:
        raise Forbidden(f"This needs the role {' or '.join(roles)}.")
    return identity
