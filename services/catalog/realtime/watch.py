"""What the feeds need beside the event stream: who is still signed in, and how the installation is."""

from collections.abc import Collection

from services.catalog.accounts.keys import hash_of
from services.catalog.accounts.usecases import Callers
from services.catalog.errors import InvalidCredentials
from services.catalog.monitoring.models import Asker, Health
from services.catalog.monitoring.usecases import Monitoring
from services.catalog.realtime import store
from services.catalog.realtime.feeds import LiveFeeds
from services.catalog.realtime.models import JOBS, Notice
from shared.db.pool import Pool, connection
from shared.ids import new_id
from shared.web.identity import NOBODY, Identity, Role


class SignedInWatch:
    """Ends the feeds of sessions and keys that are over."""

    def __init__(self, feeds: LiveFeeds, *, pool: Pool, callers: Callers) -> None:
        self._feeds = feeds
        self._pool = pool
        self._callers = callers

    async def run_once(self) -> None:
        """Check all at once. Raises `Unavailable` with the database away: then every feed stays for now."""
        held = {feed.credential for feed in self._feeds.feeds if feed.credential is not None}
        over = held - await self._still_in(held) if held else held
        for feed in self._feeds.feeds:
            if feed.credential in over:
                self._feeds.end(feed, "signed_out")

    async def _still_in(self, credentials: Collection[str]) -> set[str]:
        sessions = {hash_of(one): one for one in credentials if not _is_key(one)}
        keys = [one for one in credentials if _is_key(one)]
        living: set[bytes] = set()
        if sessions:
            async with connection(self._pool) as conn:
                living = await store.living_sessions(conn, [*sessions])
        return {sessions[found] for found in living} | {key for key in keys if await self._holds(key)}

    async def _holds(self, authorization: str) -> bool:
        try:
            await self._callers.by_api_key(authorization)
        except InvalidCredentials:
            return False
        return True


def _is_key(credential: str) -> bool:
    """Whether it is an `Authorization` header; a cookie's value has no blank in it."""
    return " " in credential


class HealthPulse:
    """Tells those who look after the work when the health score moves. Looks only while somebody listens."""

    def __init__(self, feeds: LiveFeeds, monitoring: Monitoring) -> None:
        self._feeds = feeds
        self._monitoring = monitoring
        self._told: Health | None = None

    async def run_once(self) -> None:
        """Look, and tell what is different."""
        if not self._feeds.has(JOBS):
            self._told = None
            return
        health = (await self._monitoring.look(Asker(Identity(NOBODY, Role.OPS), str(new_id())))).health
        if self._told is None or (self._told.score, self._told.status) != (health.score, health.status):
            self._told = health
            self._feeds.tell(Notice("health", {"score": health.score, "status": health.status}, (JOBS,)))
