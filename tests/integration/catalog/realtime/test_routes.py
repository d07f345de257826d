"""Live feeds at the HTTP edge, on a gateway that hears of nothing: who may follow what, and how a feed ends."""

import pytest

from services.catalog.accounts.usecases import Callers
from services.catalog.realtime.feeds import Feed, LiveFeeds, NoStream
from services.catalog.realtime.models import DESK
from services.catalog.realtime.watch import SignedInWatch
from shared.clock import utc_now
from shared.db.pool import Pool
from shared.ids import new_id
from tests.integration.catalog.conftest import Client, Gateway
from tests.integration.catalog.feeds import following


async def test_a_feed_says_that_it_is_not_live(anonymous: Client) -> None:
    async with following(anonymous, "/api/stream") as feed:
        assert await feed.next() == ("ready", {"live": False})


async def test_who_comes_back_to_a_gateway_that_knows_nothing_looks_anew(anonymous: Client) -> None:
    async with following(anonymous, "/api/stream", last_id="epoch-12") as feed:
        assert await feed.next() == ("reset", {"live": False})


@pytest.mark.parametrize(
    "query", ["products=chair", f"products={'0' * 5000}", "product=1", "last_event_id=" + "9" * 200]
)
async def test_a_query_that_does_not_fit_is_refused(anonymous: Client, query: str) -> None:
    async with anonymous.get(f"/api/stream?{query}") as answer:
        assert (answer.status, answer.content_type) == (422, "application/problem+json")


async def test_more_products_than_a_page_has_are_refused(anonymous: Client) -> None:
    ids = ",".join(str(new_id()) for _ in range(101))
    async with anonymous.get(f"/api/stream?products={ids}") as answer:
        assert answer.status == 422


class FakeClient:
    """Takes all that is sent."""

    def __init__(self) -> None:
        self.got = b""

    def send(self, frame: bytes) -> bool:
        self.got += frame
        return True


async def test_a_feed_ends_with_the_session_or_key_it_was_opened_with(gateway: Gateway, pool: Pool) -> None:
    feeds = LiveFeeds(NoStream())
    watch = SignedInWatch(feeds, pool=pool, callers=Callers(pool=pool, clock=utc_now))
    credentials = [f"Bearer {gateway.accounts.admin.api_key}", "Bearer souk_gone_0123", "a-session-that-is-over", None]
    clients = [FakeClient() for _ in credentials]
    for credential, client in zip(credentials, clients, strict=True):
        feeds.join(Feed([DESK], client, credential=credential), last=None)
    await watch.run_once()
    assert [b"signed_out" in client.got for client in clients] == [False, True, True, False]
    assert len(feeds.feeds) == 2
