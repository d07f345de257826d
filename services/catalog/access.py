"""Who may call what: one table of route x role, and the middleware that holds every request to it."""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from services.catalog.accounts.models import Caller
from services.catalog.accounts.usecases import Callers
from services.catalog.forms import CSRF_FIELD, CSRF_HEADER, csrf_token_of
from services.catalog.models import Actor
from shared.errors import Forbidden, Unauthorised
from shared.web.identity import HEADER as IDENTITY_HEADER
from shared.web.identity import IDENTITY, Identity, Role, verify
from shared.web.problems import REQUEST_ID, Handler

SESSION_COOKIE: Final = "souk_session"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

CALLER: Final = web.RequestKey("caller", Caller)
"""How the caller of a route that is not public came in."""


@dataclass(frozen=True, slots=True)
class Access:
    """Whom a route lets in. `owner` is the service that answers it, if the gateway only passes it on."""

    roles: frozenset[Role] = frozenset()
    is_public: bool = False
    owner: str | None = None
    is_for_owners: bool = False
    """Of a vendor's members only owners."""
    is_first_step: bool = False
    """Also who has signed in with a one-time password and has to choose another."""


def _let_in(*roles: Role, owner: str | None = None) -> Access:
    return Access(frozenset(roles), owner=owner)


PUBLIC: Final = Access(is_public=True)
INTERNAL: Final = _let_in(Role.SERVICE)
"""Only our own services, by `Souk-Identity`."""
SIGNED_IN: Final = _let_in(Role.VENDOR, Role.ADMIN, Role.OPS, Role.CHANNEL)
FIRST_STEP: Final = replace(SIGNED_IN, is_first_step=True)
_PEOPLE: Final = (Role.VENDOR, Role.ADMIN, Role.OPS)
PEOPLE: Final = _let_in(*_PEOPLE)
PEOPLE_FIRST_STEP: Final = replace(PEOPLE, is_first_step=True)
VENDOR: Final = _let_in(Role.VENDOR)
VENDOR_OWNER: Final = replace(VENDOR, is_for_owners=True)
ADMIN: Final = _let_in(Role.ADMIN)
ADMIN_OPS: Final = _let_in(Role.ADMIN, Role.OPS)
CHANNEL: Final = _let_in(Role.CHANNEL)

_JOBS: Final = _let_in(Role.ADMIN, Role.OPS, owner="jobs")
_INBOX: Final = _let_in(*_PEOPLE, owner="notifier")
_VENDOR_REPORTS: Final = _let_in(Role.VENDOR, owner="reporting")
_ADMIN_REPORTS: Final = _let_in(Role.ADMIN, owner="reporting")
_REPORT_LINK: Final = Access(is_public=True, owner="reporting")
"""Whoever has the link of a mail; reporting checks its signature."""
_SCHEDULES_READ: Final = _let_in(Role.ADMIN, Role.OPS, owner="scheduler")
_SCHEDULES_CHANGE: Final = _let_in(Role.ADMIN, owner="scheduler")

ACCESS: Final[Mapping[tuple[str, str], Access]] = MappingProxyType(
    {
        # accounts
        ("POST", "/api/auth/login"): PUBLIC,
        ("POST", "/api/auth/logout"): FIRST_STEP,
        ("GET", "/api/me"): FIRST_STEP,
        ("PATCH", "/api/me"): FIRST_STEP,
        ("GET", "/api/api-keys"): SIGNED_IN,
        ("POST", "/api/api-keys"): SIGNED_IN,
        ("DELETE", "/api/api-keys/{id}"): SIGNED_IN,
        ("GET", "/api/sessions"): SIGNED_IN,
        ("DELETE", "/api/sessions"): SIGNED_IN,
        ("DELETE", "/api/sessions/{id}"): SIGNED_IN,
        ("GET", "/internal/contacts"): INTERNAL,
        # vendors, categories
        ("GET", "/api/vendors/{id}"): PUBLIC,
        ("GET", "/api/admin/vendors"): ADMIN_OPS,
        ("POST", "/api/admin/vendors"): ADMIN,
        ("GET", "/api/admin/vendors/{id}"): ADMIN_OPS,
        ("PATCH", "/api/admin/vendors/{id}"): ADMIN,
        ("POST", "/api/admin/vendors/{id}/suspend"): ADMIN,
        ("POST", "/api/admin/vendors/{id}/reinstate"): ADMIN,
        ("GET", "/api/vendor/members"): VENDOR,
        ("POST", "/api/vendor/members"): VENDOR_OWNER,
        ("PATCH", "/api/vendor/members/{id}"): VENDOR_OWNER,
        ("DELETE", "/api/vendor/members/{id}"): VENDOR_OWNER,
        ("POST", "/api/vendor/members/{id}/one-time-password"): VENDOR_OWNER,
        ("GET", "/api/categories"): PUBLIC,
        ("GET", "/api/admin/audit"): ADMIN,
        # products
        ("GET", "/api/products"): PUBLIC,
        ("GET", "/api/products/{id}"): PUBLIC,
        ("POST", "/api/vendor/products"): VENDOR,
        ("GET", "/api/vendor/products"): VENDOR,
        ("GET", "/api/vendor/products/{id}"): VENDOR,
        ("PATCH", "/api/vendor/products/{id}"): VENDOR,
        ("DELETE", "/api/vendor/products/{id}"): VENDOR,
        ("POST", "/api/vendor/products/{id}/submit"): VENDOR,
        ("POST", "/api/vendor/products/{id}/withdraw"): VENDOR,
        ("POST", "/api/vendor/products/{id}/archive"): VENDOR,
        ("GET", "/api/vendor/products/{id}/timeline"): VENDOR,
        ("GET", "/api/admin/products/{id}/timeline"): ADMIN,
        # approval
        ("GET", "/api/admin/products"): ADMIN,
        ("GET", "/api/admin/products/{id}"): ADMIN,
        ("GET", "/api/admin/proposals"): ADMIN,
        ("GET", "/api/admin/rejection-reasons"): ADMIN,
        ("POST", "/api/admin/approve-product"): ADMIN,
        ("POST", "/api/admin/products/{id}/approve"): ADMIN,
        ("POST", "/api/admin/products/{id}/reject"): ADMIN,
        ("POST", "/api/admin/products/{id}/suspend"): ADMIN,
        ("POST", "/api/admin/products/{id}/reinstate"): ADMIN,
        # images
        ("POST", "/api/vendor/products/{id}/images"): VENDOR,
        ("DELETE", "/api/vendor/products/{id}/images/{image_id}"): VENDOR,
        ("POST", "/api/vendor/products/{id}/images/{image_id}/retry"): VENDOR,
        ("GET", "/media/{key}"): PUBLIC,
        # inventory
        ("GET", "/api/vendor/inventory"): VENDOR,
        ("POST", "/api/vendor/inventory/adjust"): VENDOR,
        ("GET", "/api/vendor/inventory/{product_id}"): VENDOR,
        ("PUT", "/api/vendor/inventory/{product_id}"): VENDOR,
        ("PUT", "/api/vendor/inventory/{product_id}/threshold"): VENDOR,
        ("GET", "/api/vendor/inventory/{product_id}/movements"): VENDOR,
        ("GET", "/api/vendor/inventory-defaults"): VENDOR,
        ("PUT", "/api/vendor/inventory-defaults"): VENDOR,
        ("GET", "/api/admin/inventory-defaults"): ADMIN_OPS,
        ("PUT", "/api/admin/inventory-defaults"): ADMIN,
        # stock sources
        ("POST", "/api/vendor/sync-sources"): VENDOR,
        ("GET", "/api/vendor/sync-sources"): VENDOR,
        ("GET", "/api/vendor/sync-sources/{id}"): VENDOR,
        ("PATCH", "/api/vendor/sync-sources/{id}"): VENDOR,
        ("DELETE", "/api/vendor/sync-sources/{id}"): VENDOR,
        ("POST", "/api/vendor/sync-sources/{id}/secret"): VENDOR,
        ("POST", "/api/vendor/sync-sources/{id}/run"): VENDOR,
        ("GET", "/api/vendor/sync-sources/{id}/runs"): VENDOR,
        ("GET", "/api/vendor/sync-sources/{id}/runs/{run_id}"): VENDOR,
        ("GET", "/api/vendor/sync-sources/{id}/skus"): VENDOR,
        ("PUT", "/api/vendor/sync-sources/{id}/skus"): VENDOR,
        ("POST", "/hooks/inventory/{source}"): PUBLIC,  # proved by its signature
        # live feeds
        ("GET", "/api/stream"): PUBLIC,
        ("GET", "/api/vendor/stream"): VENDOR,
        ("GET", "/api/admin/stream"): ADMIN_OPS,
        ("GET", "/api/admin/jobs/stream"): ADMIN_OPS,
        # caches
        ("GET", "/api/admin/cache"): ADMIN_OPS,
        ("POST", "/api/admin/cache/clear"): ADMIN,
        # orders
        ("POST", "/api/orders"): CHANNEL,
        ("POST", "/api/orders/{id}/cancel"): CHANNEL,
        # jobs
        ("GET", "/api/vendor/jobs"): _let_in(Role.VENDOR, owner="jobs"),
        ("GET", "/api/admin/jobs"): _JOBS,
        ("POST", "/api/admin/jobs"): _JOBS,
        ("GET", "/api/admin/jobs/list"): _JOBS,
        ("GET", "/api/admin/jobs/groups"): _JOBS,
        ("POST", "/api/admin/jobs/enqueue"): _JOBS,
        ("GET", "/api/admin/jobs/overview"): _JOBS,
        ("GET", "/api/admin/jobs/activity"): _JOBS,
        ("POST", "/api/admin/jobs/retry"): _JOBS,
        ("POST", "/api/admin/jobs/bulk"): _JOBS,
        ("GET", "/api/admin/jobs/{id}"): _JOBS,
        ("POST", "/api/admin/jobs/states"): _JOBS,
        ("POST", "/api/admin/jobs/{id}/retry"): _JOBS,
        ("POST", "/api/admin/jobs/{id}/cancel"): _JOBS,
        ("GET", "/api/admin/job-types"): _JOBS,
        ("GET", "/api/admin/job-types/events"): _JOBS,
        ("POST", "/api/admin/job-types/{type}/pause"): _JOBS,
        ("POST", "/api/admin/job-types/{type}/resume"): _JOBS,
        ("GET", "/api/admin/queues"): _JOBS,
        ("GET", "/api/admin/workers"): _JOBS,
        ("GET", "/api/admin/dead-letters"): _JOBS,
        ("POST", "/api/admin/dead-letters/replay"): _JOBS,
        ("POST", "/api/admin/dead-letters/purge"): _JOBS,
        ("GET", "/api/admin/dead-letters/{id}"): _JOBS,
        ("DELETE", "/api/admin/dead-letters/{id}"): _JOBS,
        ("POST", "/api/admin/dead-letters/{id}/replay"): _JOBS,
        # monitoring
        ("GET", "/api/admin/monitoring"): ADMIN_OPS,
        # notifications
        ("GET", "/api/notifications"): _INBOX,
        ("GET", "/api/notifications/unread"): _INBOX,
        ("POST", "/api/notifications/read"): _INBOX,
        ("GET", "/api/notification-preferences"): _INBOX,
        ("PUT", "/api/notification-preferences"): _INBOX,
        ("GET", "/api/push-subscriptions"): _INBOX,
        ("POST", "/api/push-subscriptions"): _INBOX,
        ("DELETE", "/api/push-subscriptions/{id}"): _INBOX,
        ("POST", "/api/admin/letters/preview"): _let_in(Role.ADMIN, owner="notifier"),
        # reports
        ("GET", "/api/vendor/reports"): _VENDOR_REPORTS,
        ("POST", "/api/vendor/reports"): _VENDOR_REPORTS,
        ("GET", "/api/vendor/reports/{id}"): _VENDOR_REPORTS,
        ("GET", "/api/vendor/reports/{id}/file"): _VENDOR_REPORTS,
        ("POST", "/api/vendor/reports/{id}/cancel"): _VENDOR_REPORTS,
        ("GET", "/api/admin/reports"): _ADMIN_REPORTS,
        ("POST", "/api/admin/reports"): _ADMIN_REPORTS,
        ("GET", "/api/admin/reports/{id}"): _ADMIN_REPORTS,
        ("GET", "/api/admin/reports/{id}/file"): _ADMIN_REPORTS,
        ("POST", "/api/admin/reports/{id}/cancel"): _ADMIN_REPORTS,
        ("GET", "/r/{id}/{token}"): _REPORT_LINK,
        # schedules
        ("GET", "/api/admin/schedules"): _SCHEDULES_READ,
        ("GET", "/api/admin/schedules/{name}"): _SCHEDULES_READ,
        ("GET", "/api/admin/schedules/{name}/ticks"): _SCHEDULES_READ,
        ("POST", "/api/admin/schedules/{name}/run"): _SCHEDULES_CHANGE,
        ("POST", "/api/admin/schedules/{name}/pause"): _SCHEDULES_CHANGE,
        ("POST", "/api/admin/schedules/{name}/resume"): _SCHEDULES_CHANGE,
        # the contract
        ("GET", "/api/openapi.json"): PUBLIC,
        ("GET", "/api/asyncapi.json"): PUBLIC,
        ("GET", "/api/docs"): PUBLIC,
        # pages: assets and the shop
        ("GET", "/static/{mark}/{name}"): PUBLIC,
        ("GET", "/favicon.ico"): PUBLIC,
        ("GET", "/push-worker.js"): PUBLIC,
        ("GET", "/"): PUBLIC,
        ("GET", "/products"): PUBLIC,
        ("GET", "/products/suggestions"): PUBLIC,
        ("GET", "/products/{slug}"): PUBLIC,
        ("GET", "/vendors/{slug}"): PUBLIC,
        # pages: signing in and out
        ("GET", "/login"): PUBLIC,
        ("POST", "/login"): PUBLIC,
        ("POST", "/logout"): FIRST_STEP,
        # pages: everybody's own
        ("GET", "/notifications"): PEOPLE,
        ("POST", "/notifications/read"): PEOPLE,
        ("POST", "/notifications/{id}/open"): PEOPLE,
        ("POST", "/notifications/{id}/read"): PEOPLE,
        ("GET", "/notifications/preferences"): PEOPLE,
        ("POST", "/notifications/preferences"): PEOPLE,
        ("POST", "/notifications/devices/{id}/delete"): PEOPLE,
        # pages: one's own account
        ("GET", "/account"): PEOPLE_FIRST_STEP,
        ("POST", "/account/password"): PEOPLE_FIRST_STEP,
        ("POST", "/account/name"): PEOPLE,
        ("POST", "/account/email"): PEOPLE,
        ("POST", "/account/sessions/end-others"): PEOPLE,
        ("POST", "/account/sessions/{id}/end"): PEOPLE,
        ("POST", "/account/keys"): PEOPLE,
        ("POST", "/account/keys/{id}/revoke"): PEOPLE,
        # pages: operations
        ("GET", "/admin/jobs"): ADMIN_OPS,
        ("GET", "/admin/jobs/failures"): ADMIN_OPS,
        ("GET", "/admin/jobs/types"): ADMIN_OPS,
        ("POST", "/admin/jobs/types/{type}/pause"): ADMIN_OPS,
        ("POST", "/admin/jobs/types/{type}/resume"): ADMIN_OPS,
        ("GET", "/admin/jobs/bulk"): ADMIN_OPS,
        ("POST", "/admin/jobs/bulk"): ADMIN_OPS,
        ("GET", "/admin/jobs/{id}"): ADMIN_OPS,
        ("POST", "/admin/jobs/{id}/retry"): ADMIN_OPS,
        ("POST", "/admin/jobs/{id}/cancel"): ADMIN_OPS,
        ("GET", "/admin/jobs/{id}/copy"): ADMIN_OPS,
        ("POST", "/admin/jobs/{id}/copy"): ADMIN_OPS,
        ("GET", "/admin/queues"): ADMIN_OPS,
        ("GET", "/admin/workers"): ADMIN_OPS,
        ("GET", "/admin/schedules"): ADMIN_OPS,
        ("GET", "/admin/schedules/{name}"): ADMIN_OPS,
        ("POST", "/admin/schedules/{name}/run"): ADMIN,
        ("POST", "/admin/schedules/{name}/pause"): ADMIN,
        ("POST", "/admin/schedules/{name}/resume"): ADMIN,
        ("GET", "/admin/dead-letters"): ADMIN_OPS,
        ("GET", "/admin/dead-letters/bulk"): ADMIN_OPS,
        ("POST", "/admin/dead-letters/bulk"): ADMIN_OPS,
        ("GET", "/admin/dead-letters/{id}"): ADMIN_OPS,
        ("POST", "/admin/dead-letters/{id}/replay"): ADMIN_OPS,
        ("POST", "/admin/dead-letters/{id}/delete"): ADMIN_OPS,
        # pages: a vendor's
        ("GET", "/vendor"): VENDOR,
        ("GET", "/vendor/products"): VENDOR,
        ("GET", "/vendor/products/new"): VENDOR,
        ("POST", "/vendor/products/new"): VENDOR,
        ("GET", "/vendor/products/{id}"): VENDOR,
        ("POST", "/vendor/products/{id}"): VENDOR,
        ("GET", "/vendor/products/{id}/preview"): VENDOR,
        ("POST", "/vendor/products/{id}/submit"): VENDOR,
        ("POST", "/vendor/products/{id}/withdraw"): VENDOR,
        ("POST", "/vendor/products/{id}/archive"): VENDOR,
        ("POST", "/vendor/products/{id}/images"): VENDOR,
        ("POST", "/vendor/products/{id}/images/{image_id}/delete"): VENDOR,
        ("POST", "/vendor/products/{id}/images/{image_id}/retry"): VENDOR,
        ("GET", "/vendor/inventory"): VENDOR,
        ("GET", "/vendor/inventory/{product_id}"): VENDOR,
        ("POST", "/vendor/inventory/{product_id}"): VENDOR,
        ("POST", "/vendor/inventory/{product_id}/move"): VENDOR,
        ("POST", "/vendor/inventory/{product_id}/threshold"): VENDOR,
        ("GET", "/vendor/sync-sources"): VENDOR,
        ("GET", "/vendor/sync-sources/new"): VENDOR,
        ("POST", "/vendor/sync-sources/new"): VENDOR,
        ("GET", "/vendor/sync-sources/{id}"): VENDOR,
        ("POST", "/vendor/sync-sources/{id}"): VENDOR,
        ("POST", "/vendor/sync-sources/{id}/delete"): VENDOR,
        ("POST", "/vendor/sync-sources/{id}/run"): VENDOR,
        ("POST", "/vendor/sync-sources/{id}/secret"): VENDOR,
        ("GET", "/vendor/sync-sources/{id}/runs/{run_id}"): VENDOR,
        ("POST", "/vendor/sync-sources/{id}/skus"): VENDOR,
        ("GET", "/vendor/reports"): VENDOR,
        ("POST", "/vendor/reports"): VENDOR,
        ("GET", "/vendor/reports/{id}"): VENDOR,
        ("POST", "/vendor/reports/{id}/cancel"): VENDOR,
        ("GET", "/vendor/members"): VENDOR,
        ("POST", "/vendor/members"): VENDOR_OWNER,
        ("POST", "/vendor/members/{id}/ownership"): VENDOR_OWNER,
        ("POST", "/vendor/members/{id}/one-time-password"): VENDOR_OWNER,
        ("POST", "/vendor/members/{id}/delete"): VENDOR_OWNER,
        # pages: reports, of the marketplace and by a notification's link
        ("GET", "/reports/{id}"): _let_in(Role.VENDOR, Role.ADMIN),
        ("GET", "/admin/reports"): ADMIN,
        ("POST", "/admin/reports"): ADMIN,
        ("GET", "/admin/reports/{id}"): ADMIN,
        ("POST", "/admin/reports/{id}/cancel"): ADMIN,
        # pages: the marketplace's
        ("GET", "/admin"): ADMIN_OPS,
        ("GET", "/admin/monitoring"): ADMIN_OPS,
        ("GET", "/admin/caches"): ADMIN_OPS,
        ("POST", "/admin/caches/clear"): ADMIN,
        ("GET", "/admin/audit"): ADMIN,
        ("GET", "/admin/vendors"): ADMIN_OPS,
        ("GET", "/admin/vendors/new"): ADMIN,
        ("POST", "/admin/vendors/new"): ADMIN,
        ("GET", "/admin/vendors/{id}"): ADMIN_OPS,
        ("POST", "/admin/vendors/{id}"): ADMIN,
        ("POST", "/admin/vendors/{id}/suspend"): ADMIN,
        ("POST", "/admin/vendors/{id}/reinstate"): ADMIN,
        ("GET", "/admin/approvals"): ADMIN,
        ("POST", "/admin/approvals"): ADMIN,
        ("GET", "/admin/products"): ADMIN,
        ("GET", "/admin/products/{id}"): ADMIN,
        ("POST", "/admin/products/{id}/approve"): ADMIN,
        ("POST", "/admin/products/{id}/reject"): ADMIN,
        ("POST", "/admin/products/{id}/letter"): ADMIN,
        ("POST", "/admin/products/{id}/suspend"): ADMIN,
        ("POST", "/admin/products/{id}/reinstate"): ADMIN,
    }
)


class RouteWithoutAccess(Exception):
    """A route is registered that the table does not know: add its row before it can be served."""


class CsrfMismatch(Forbidden):
    """A page's request that changes something needs the session's token, in `X-CSRF-Token` or a form's `csrf_token`.

    GET /api/me tells it.
    """

    code = "csrf_mismatch"


class OwnersOnly(Forbidden):
    """Only an owner of the vendor says who acts for it."""

    code = "owners_only"


class PasswordChangeNeeded(Forbidden):
    """The password was handed out for one time: choose another first, with PATCH /api/me."""

    code = "password_change_needed"


class ReadOnlyKey(Forbidden):
    """The API key may only read; use one with the scope `full`."""

    code = "read_only_key"


def require_complete(app: web.Application, table: Mapping[tuple[str, str], Access] = ACCESS) -> None:
    """Refuse to go on with a route that has no row. Raises `RouteWithoutAccess` naming all of them."""
    missing = sorted(f"{method} {path}" for method, path in routes_of(app) if (method, path) not in table)
    if missing:
        raise RouteWithoutAccess(f"no row in services.catalog.access.ACCESS: {', '.join(missing)}")


def routes_of(app: web.Application) -> Iterable[tuple[str, str]]:
    """Method and path template of every route; HEAD goes with its GET."""
    return {_row_key(route.method, route.resource) for route in app.router.routes()}


def access_middleware(callers: Callers, *, catalog_key: str) -> Middleware:
    """Find out who asks and hold the route's row to it; what is let in has `request[IDENTITY]`.

    401 for nobody, 403 for a wrong role or standing. Of a public route the caller is not looked up.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is None:  # nothing matched: the handler answers 404 or 405
            return await handler(request)
        access = ACCESS[_row_key(request.method, resource)]
        if access.is_public:
            return await handler(request)
        if Role.SERVICE in access.roles:
            token = request.headers.get(IDENTITY_HEADER, "")
            request[IDENTITY] = verify(
                token, service="catalog", key=catalog_key, method=request.method, path=request.path
            )
            _require_role(request[IDENTITY], access)
        else:
            caller = await _caller_of(request, callers)
            request[CALLER] = caller
            request[IDENTITY] = caller.identity
            _require_role(caller.identity, access)
            _require_standing(caller, access)
        return await handler(request)

    return middleware


def actor_of(request: web.Request) -> Actor:
    """The caller as the audit log names it."""
    identity = request[IDENTITY]
    return Actor(identity.account_id, identity.role, identity.vendor_id, request.get(REQUEST_ID))


def _require_role(identity: Identity, access: Access) -> None:
    if identity.role not in access.roles:
        raise Forbidden(f"This needs the role {' or '.join(sorted(access.roles))}.")


def _require_standing(caller: Caller, access: Access) -> None:
    if caller.has_one_time_password and not access.is_first_step:
        raise PasswordChangeNeeded("Choose a password of your own first.")
    if access.is_for_owners and not caller.is_owner:
        raise OwnersOnly("Only an owner of the vendor may do this.")


async def _caller_of(request: web.Request, callers: Callers) -> Caller:
    is_safe = request.method in SAFE_METHODS
    authorization = request.headers.get("Authorization")
    if authorization is not None:
        caller = await callers.by_api_key(authorization)
        if not is_safe and caller.is_read_only:
            raise ReadOnlyKey("This API key may only read.")
        return caller
    token = request.cookies.get(SESSION_COOKIE)
    if token is None:
        raise Unauthorised("Sign in, or send an API key as `Authorization: Bearer souk_…`.")
    caller = await callers.by_session(token)
    if not is_safe and not hmac.compare_digest(_bytes(await csrf_token_of(request)), _bytes(caller.csrf_token or "")):
        raise CsrfMismatch(f"Send the session's token in {CSRF_HEADER}, or in a form's field {CSRF_FIELD}.")
    return caller


def _row_key(method: str, resource: web.AbstractResource | None) -> tuple[str, str]:
    return ("GET" if method == "HEAD" else method), "" if resource is None else resource.canonical


def _bytes(header: str) -> bytes:
    return header.encode(errors="surrogateescape")
