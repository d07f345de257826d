"""Shares that several gateways count together: a row each, of which a gateway takes a few at a time."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.catalog.limits import store
from services.catalog.limits.models import Cost, Grant, Policy
from shared.db.pool import Pool, connection

TAKEN_AT_ONCE: Final = 10
LEASE_SECONDS: Final = 10.0
"""What a gateway took and did not need in this time is lost until it comes back by itself."""
MAX_LEASES: Final = 20_000


@dataclass(slots=True)
class _Lease:
    """What this gateway may let in of a share until `ends_at` without asking: `left`, or nobody if that is 0.

    `whole_at` is the share's. Times are monotonic seconds.
    """

    left: int
    whole_at: float
    ends_at: float


class Quotas:
    """All gateways together never let in more than the share; of one that is used up none asks before its time."""

    def __init__(self, pool: Pool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._leases: OrderedDict[tuple[str, Cost], _Lease] = OrderedDict()

    async def take(self, policy: Policy, subject: str) -> Grant:
        """One request of a subject. Raises `Unavailable`."""
        key = subject, policy.cost
        lease = self._leases.get(key)
        if lease is None or lease.ends_at <= self._clock():
            lease = await self._leased(policy, subject)
        behind = max(lease.whole_at - self._clock(), 0.0)
        if lease.left == 0:
            return policy.refused(behind)
        lease.left -= 1
        if lease.left == 0 and self._leases.get(key) is lease:
            del self._leases[key]
        return policy.granted(max(behind - lease.left * policy.spacing_seconds, 0.0))

    async def _leased(self, policy: Policy, subject: str) -> _Lease:
        async with connection(self._pool) as conn:
            taken, behind = await store.take(conn, subject, policy, wanted=_wanted(policy))
        now, key = self._clock(), (subject, policy.cost)
        meanwhile = self._leases.pop(key, None)  # of others who asked at the same time
        left = taken + (0 if meanwhile is None else meanwhile.left)
        seconds = LEASE_SECONDS if left else policy.wait_seconds(behind)
        lease = self._leases[key] = _Lease(left, now + behind, now + seconds)
        if len(self._leases) > MAX_LEASES:
            self._leases.popitem(last=False)
        return lease


def _wanted(policy: Policy) -> int:
    """A hundredth of the share at most, so that what several gateways hold without need is little of it."""
    return max(1, min(TAKEN_AT_ONCE, policy.quota // 100))
