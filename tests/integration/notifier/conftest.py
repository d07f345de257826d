"""Fixtures of the notifier's tests."""

from collections.abc import AsyncIterator

import pytest

from services.notifier.mailer import Mailer
from services.notifier.pusher import Pusher
from services.notifier.pushes import Pushes, Subscriptions
from services.notifier.usecases import Inbox, Mailroom, Preferences
from shared.clock import utc_now
from shared.db.outbox import Outbox
from shared.db.pool import Pool, open_pool
from shared.outbound import guarded_session
from tests.golden import kept_mails as mails
from tests.integration.notifier import push_service
from tests.integration.notifier.people import BEN, EVE, VENDOR, People
from tests.integration.notifier.push_service import VAPID, PushService
from tests.integration.notifier.smtp_sink import Sink, serving
from tests.servers import Database


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A mail server without TLS and sign-in that takes everything."""
    async with serving(Sink()) as running:
        yield running


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """A database of this test's own, with the notifier's role."""
    async with open_pool(database.url("notifier"), name="test") as opened:
        yield opened


@pytest.fixture
def people() -> People:
    """Three admins and no vendor, until a test says otherwise."""
    return People()


@pytest.fixture
async def mailroom(pool: Pool, sink: Sink, people: People) -> AsyncIterator[Mailroom]:
    """A mailroom that mails to the sink."""
    async with Mailer(sink.server) as mailer:
        yield Mailroom(
            pool=pool,
            contacts=people,
            mailer=mailer,
            sender=mails.SENDER,
            public_url=mails.PUBLIC_URL,
            clock=utc_now,
        )


@pytest.fixture
def inbox(pool: Pool) -> Inbox:
    """The inboxes."""
    return Inbox(pool=pool, outbox=Outbox("notifier"), clock=utc_now)


@pytest.fixture
def preferences(pool: Pool) -> Preferences:
    """What people want."""
    return Preferences(pool=pool, clock=utc_now)


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    """A push service."""
    async with push_service.running() as running:
        yield running


@pytest.fixture
async def pushes(pool: Pool, service: PushService, people: People) -> AsyncIterator[Pushes]:
    """Pushes that reach the service; Eve and Ben are the vendor's people."""
    people.vendors[VENDOR] = [EVE, BEN]
    async with guarded_session(allow=[service.host]) as outbound:
        sender = Pusher(outbound=outbound, key=VAPID, contact="mailto:souk@example.com", clock=utc_now)
        yield Pushes(pool=pool, contacts=people, pusher=sender, clock=utc_now)


@pytest.fixture
def subscriptions(pool: Pool) -> Subscriptions:
    """Who is told where."""
    return Subscriptions(pool=pool, public_key=VAPID.public, clock=utc_now)
