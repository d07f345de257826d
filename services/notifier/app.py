"""Composition root of `python -m services.notifier`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import aiohttp

from services.notifier.contacts import CatalogContacts
from services.notifier.handlers import account_changed, send_email, send_notification
from services.notifier.letters import prepare_letters
from services.notifier.mailer import Mailer
from services.notifier.measures import measures
from services.notifier.pruner import Pruner
from services.notifier.pusher import Pusher
from services.notifier.pushes import Pushes, Subscriptions
from services.notifier.routes import new_api
from services.notifier.settings import Settings
from services.notifier.usecases import Inbox, Mailroom, Preferences
from shared.clock import utc_now
from shared.contracts import events, jobs
from shared.db.measures import measuring
from shared.db.outbox import Outbox, relaying
from shared.db.pool import open_pool
from shared.db.replay import announcing
from shared.lifecycle import background, every
from shared.messaging import topology
from shared.messaging.attempt import HandlerTable
from shared.messaging.broker import open_broker
from shared.messaging.reader import EventTable, one_by_one, reading
from shared.messaging.working import working
from shared.outbound import guarded_session
from shared.web.checks import all_consuming, database_answers
from shared.web.ops import operations_port
from shared.web.server import serving

PRUNE_SECONDS: Final = 3600.0
EVENTS_QUEUE: Final = "events.notifier"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """Open everything the notifier needs, in order; close it in reverse when the block ends. Any number may run.

    The catalog and the mail server need not be there: jobs that need them are retried.
    """
    prepare_letters()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(settings.notifier_database_url.get_secret_value(), name="notifier")
        )
        broker = await stack.enter_async_context(open_broker(settings.amqp_url.get_secret_value(), name="notifier"))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        mailer = await stack.enter_async_context(Mailer(settings.mail_server))
        contacts = CatalogContacts(
            session,
            catalog_url=settings.catalog_url,
            key=settings.catalog_key.get_secret_value(),
            keep_seconds=settings.contacts_seconds,
        )
        mailroom = Mailroom(
            pool=pool,
            contacts=contacts,
            mailer=mailer,
            sender=settings.sender,
            public_url=settings.public_url,
            clock=utc_now,
        )
        vapid = settings.vapid_key
        outbound = await stack.enter_async_context(guarded_session(allow=settings.outbound_allow))
        pushes = Pushes(
            pool=pool,
            contacts=contacts,
            pusher=None
            if vapid is None
            else Pusher(outbound=outbound, key=vapid, contact=f"mailto:{settings.sender.addr_spec}", clock=utc_now),
            clock=utc_now,
        )
        inbox = Inbox(pool=pool, outbox=Outbox("notifier"), clock=utc_now)
        work: HandlerTable = {
            jobs.SendEmail: partial(send_email, mailroom=mailroom),
            jobs.SendNotification: partial(send_notification, inbox=inbox, pushes=pushes),
        }
        facts: EventTable = {
            events.AccountChanged: partial(account_changed, contacts=contacts),
        }
        pruner = Pruner(
            pool=pool,
            delivery_days=settings.delivery_days,
            notification_days=settings.notification_days,
            clock=utc_now,
        )

        whole = topology.build(settings.tiers, ())
        relay = await stack.enter_async_context(relaying(pool, broker.publisher, schema="notifier"))
        await stack.enter_async_context(
            announcing(pool, broker, relay, schema="notifier", topology=whole, seconds=settings.announce_seconds)
        )
        await stack.enter_async_context(background(every(PRUNE_SECONDS, pruner.run_once), name="prune"))
        await stack.enter_async_context(measuring(pool, measures, schema="notifier"))
        api = new_api(
            inbox,
            Preferences(pool=pool, clock=utc_now),
            Subscriptions(pool=pool, public_key=None if vapid is None else vapid.public, clock=utc_now),
            mailroom,
            key=settings.notifier_key.get_secret_value(),
        )
        await stack.enter_async_context(serving(api, host=settings.http_host, port=settings.http_port))
        changes = await stack.enter_async_context(
            reading(
                broker,
                EVENTS_QUEUE,
                one_by_one(facts),
                topology=whole,
                grace_seconds=settings.grace_seconds,
            )
        )
        consuming = await stack.enter_async_context(
            working(
                broker,
                work,
                worker="notifier",
                tiers=settings.tiers,
                grace_seconds=settings.grace_seconds,
                state_dir=settings.state_dir,
            )
        )
        checks = {"database": database_answers(pool), "broker": all_consuming([changes, *consuming])}
        await stack.enter_async_context(operations_port(settings, checks, refresh=[relay.tell_age]))
        yield
