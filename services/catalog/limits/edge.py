"""Where limits meet requests: 429 before any work is done, and on every answer what is left."""

from collections.abc import Iterable, Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import Counter

from services.catalog.clients import Clients
from services.catalog.limits.costs import cost_of
from services.catalog.limits.meter import Meter
from services.catalog.limits.models import AGREED, Cost, Grant, Policy
from services.catalog.limits.quotas import Quotas
from services.catalog.limits.subjects import Subjects
from shared.db.pool import Pool
from shared.errors import TooMany, Unauthorised
from shared.web.identity import IDENTITY
from shared.web.problems import Handler, problem_for
from shared.web.requests import REQUEST_ID_HEADER
from shared.web.server import ALWAYS_TOLD, FromMemory

REFUSED: Final = Counter("souk_rate_limited_total", "Requests over the share of who sent them, by class.", ["cost"])
GRANT: Final = web.RequestKey("grant", Grant)
POLICY_HEADER: Final = "RateLimit-Policy"
HEADER: Final = "RateLimit"


class ShareUsedUp(TooMany):
    """Too many requests of one class by a vendor, account or address; `Retry-After` says when there is one again."""

    code = "rate_limited"

    def __init__(self, grant: Grant) -> None:
        policy = grant.policy
        REFUSED.labels(policy.cost.value).inc()
        super().__init__(
            f"More than {policy.quota} requests of the class `{policy.cost}` in a minute.",
            retry_after_seconds=grant.retry_after_seconds or 1,
        )


class Limits:
    """All shares of one gateway."""

    def __init__(self, policies: Iterable[Policy], *, pool: Pool, clients: Clients) -> None:
        self.policies: Mapping[Cost, Policy] = {policy.cost: policy for policy in policies}
        self._meters = {cost: Meter(policy) for cost, policy in self.policies.items()}
        self._quotas = Quotas(pool)
        self._clients = clients
        self.subjects = Subjects(clients)

    async def take(self, request: web.BaseRequest, cost: Cost) -> Grant:
        """Charge whoever is behind a request. Raises `Unavailable` where the share is a row."""
        subject = self.subjects.of(request)
        if cost in AGREED:
            return await self._quotas.take(self.policies[cost], subject)
        return self._meters[cost].take(subject)

    def take_read(self, request: web.BaseRequest) -> Grant:
        """The same for a read, which this gateway counts by itself."""
        return self._meters[Cost.READ].take(self.subjects.of(request))

    def take_cached(self, request: web.BaseRequest) -> Grant:
        """Charge the address of a request that memory answers: nobody asks who is behind it."""
        return self._meters[Cost.CACHED].take(self._clients.address_of(request))


def limits_middleware(limits: Limits) -> Middleware:
    """Outside of what finds out who asks: credentials that once proved right are known here without a look-up."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        cost = cost_of(request.method, "" if resource is None else resource.canonical)
        grant = request[GRANT] = await limits.take(request, cost)
        if grant.is_refused:
            raise ShareUsedUp(grant)
        try:
            response = await handler(request)
        except Unauthorised:
            limits.subjects.disproved(request)
            raise
        if (identity := request.get(IDENTITY)) is not None:
            limits.subjects.proved(request, identity)
        return response

    return middleware


async def tell_limits(request: web.Request, response: web.StreamResponse) -> None:
    """For `on_response_prepare`: also errors and streams say what is left."""
    grant = request.get(GRANT)
    if grant is not None:
        tell_grant(response, grant)


def tell_grant(response: web.StreamResponse, grant: Grant) -> None:
    """Say what is left."""
    response.headers[POLICY_HEADER] = grant.policy.header
    response.headers[HEADER] = grant.header


def limited(from_memory: FromMemory, limits: Limits) -> FromMemory:
    """The same, with its answers charged and those over the share refused."""

    def charged(request: web.BaseRequest) -> web.Response | None:
        response = from_memory(request)
        if response is None:
            return None
        grant = limits.take_cached(request)
        if grant.is_refused:
            response = _refusal(request, grant, response.headers[REQUEST_ID_HEADER])
        tell_grant(response, grant)
        return response

    return charged


def _refusal(request: web.BaseRequest, grant: Grant, request_id: str) -> web.Response:
    refusal = problem_for(ShareUsedUp(grant), request_id=request_id, instance=request.path)
    refusal.headers.update({REQUEST_ID_HEADER: request_id, **ALWAYS_TOLD})
    return refusal
