"""Composition root of the gateway: the public HTTP API, and what it passes on to other services."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from zoneinfo import ZoneInfo

from aiohttp import web

from services.catalog import audit_routes, proxy
from services.catalog.access import access_middleware, require_complete
from services.catalog.accounts.attempts import Browsers
from services.catalog.accounts.cookies import Cookies
from services.catalog.accounts.passwords import Passwords, open_passwords
from services.catalog.accounts.routes import AccountRoutes
from services.catalog.accounts.session_routes import SessionRoutes
from services.catalog.accounts.sessions import Sessions
from services.catalog.accounts.usecases import ApiKeys, Callers, Profiles
from services.catalog.approval.routes import ApprovalRoutes
from services.catalog.approval.usecases import Approval
from services.catalog.audit_log import AuditLog
from services.catalog.cache import store as cache_store
from services.catalog.cache.caches import Caches, HeardOutbox, dropping_middleware
from services.catalog.cache.epochs import StoredEpochs
from services.catalog.cache.figures import told
from services.catalog.cache.floors import Rows
from services.catalog.cache.readthrough import Liveness, ReadThrough
from services.catalog.cache.replica import CacheReplica, reporting
from services.catalog.cache.responses import cached_reads
from services.catalog.cache.routes import CacheRoutes
from services.catalog.cache_clearing import CacheClearing
from services.catalog.categories.routes import routes as category_routes
from services.catalog.clients import CLIENTS, Clients
from services.catalog.contract.routes import routes as contract_routes
from services.catalog.cors import telling_origins, with_origins
from services.catalog.housekeeping import Housekeeping
from services.catalog.images.routes import ImageRoutes
from services.catalog.images.usecases import Images
from services.catalog.inventory.routes import InventoryRoutes
from services.catalog.inventory.usecases import Inventory
from services.catalog.limits.edge import Limits, limited, limits_middleware, tell_limits
from services.catalog.limits.models import Cost, Policy
from services.catalog.limits.pressure import NoPressure, Pressure, watching
from services.catalog.limits.shedding import shedding_middleware
from services.catalog.monitoring.figures import HealthFigures
from services.catalog.monitoring.neighbours import Neighbours
from services.catalog.monitoring.recorder import SAMPLE_SECONDS as MOMENT_SECONDS
from services.catalog.monitoring.recorder import Recorder, counted_traffic
from services.catalog.monitoring.routes import MONITORING
from services.catalog.monitoring.routes import routes as monitoring_routes
from services.catalog.monitoring.sampling import SAMPLE_SECONDS, Sampling
from services.catalog.monitoring.usecases import Monitoring
from services.catalog.orders.routes import OrderRoutes
from services.catalog.orders.usecases import Orders
from services.catalog.pages.middleware import page_middleware
from services.catalog.pages.wiring import Parts, Watched, open_view, page_routes
from services.catalog.products.routes import ProductRoutes
from services.catalog.products.shown import ShownProducts
from services.catalog.products.usecases import Products
from services.catalog.public_reads import short_way
from services.catalog.realtime.feeds import LiveFeeds, NoStream
from services.catalog.realtime.routes import FeedRoutes
from services.catalog.realtime.running import beating
from services.catalog.realtime.watch import HealthPulse, SignedInWatch
from services.catalog.settings import GatewaySettings
from services.catalog.sync.applying import Applying
from services.catalog.sync.pushes import Pushes
from services.catalog.sync.routes import SyncRoutes
from services.catalog.sync.usecases import Sources
from services.catalog.sync.vault import Vault
from services.catalog.vendors.members import Members
from services.catalog.vendors.members_routes import MemberRoutes
from services.catalog.vendors.routes import VendorRoutes
from services.catalog.vendors.usecases import Vendors
from shared.blobs import Blobs, open_blobs
from shared.clock import utc_now
from shared.contracts.events import OutboxDrained
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Pool, connection, open_pool
from shared.lifecycle import background, every
from shared.messaging.broker import open_broker
from shared.messaging.stream import EventStream
from shared.messaging.topology import EVENT_STREAM, build
from shared.web.checks import database_answers
from shared.web.cursors import Cursors
from shared.web.ops import operations_port
from shared.web.paging import CURSORS
from shared.web.requests import SECONDS
from shared.web.server import SHORT_WAY, new_app, serving

HOUSEKEEPING_SECONDS = 600
POOL_SIZE = 16


@asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncIterator[None]:
    """Answer requests while the block runs. The broker is not needed: events wait in the outbox, caches ask first."""
    async with AsyncExitStack() as stack:
        url = settings.catalog_database_url.get_secret_value()
        pool = await stack.enter_async_context(open_pool(url, name="gateway", max_size=POOL_SIZE))
        broker = await stack.enter_async_context(open_broker(settings.amqp_url.get_secret_value(), name="gateway"))
        stream = EventStream(
            broker.consuming,
            EVENT_STREAM,
            topology=build(settings.tiers, ()),
            epochs=StoredEpochs(pool),
            heartbeat=OutboxDrained,
        )
        caches = open_caches(pool, liveness=stream)
        stack.enter_context(told(caches))
        replica = CacheReplica(pool=pool, caches=caches)
        feeds = LiveFeeds(stream)
        recorder = new_recorder()
        stream.tell(caches, replica, feeds, recorder)
        watch = await stack.enter_async_context(watching(pool))
        app = await stack.enter_async_context(
            open_app(
                settings,
                pool,
                caches=caches,
                replica=replica,
                stream=stream,
                feeds=feeds,
                pressure=watch,
                recorder=recorder,
            )
        )
        await stack.enter_async_context(background(stream.run(), name="event stream"))
        await stack.enter_async_context(reporting(replica, caches))
        await stack.enter_async_context(
            background(every(HOUSEKEEPING_SECONDS, Housekeeping(pool).run_once), name="housekeeping")
        )
        await stack.enter_async_context(
            serving(app, host=settings.http_host, port=settings.http_port, grace_seconds=settings.grace_seconds)
        )
        sampling = Sampling(pool=pool, monitoring=app[MONITORING], caches=caches.counted, clock=utc_now)
        await stack.enter_async_context(background(every(SAMPLE_SECONDS, sampling.run_once), name="samples"))
        await stack.enter_async_context(background(every(MOMENT_SECONDS, recorder.run_once), name="recorder"))
        checks, refresh = {"database": database_answers(pool)}, [HealthFigures(app[MONITORING]).refresh]
        await stack.enter_async_context(operations_port(settings, checks, refresh=refresh))
        yield


@asynccontextmanager
async def open_app(
    settings: GatewaySettings,
    pool: Pool,
    *,
    caches: Caches | None = None,
    replica: CacheReplica | None = None,
    stream: EventStream | None = None,
    feeds: LiveFeeds | None = None,
    pressure: Pressure | None = None,
    recorder: Recorder | None = None,
) -> AsyncIterator[web.Application]:
    """The application with everything it holds open. Raises `RouteWithoutAccess` if a route has no row.

    Without `caches` it has some that hear of nothing and therefore check every hit. `stream` is what monitoring tells.
    Without `feeds` it has some on which nothing happens, and without `pressure` it never refuses what is too much.
    """
    caches = caches or open_caches(pool)
    feeds = feeds or LiveFeeds(NoStream())
    replica = replica or CacheReplica(pool=pool, caches=caches)
    recorder = recorder or new_recorder()
    async with AsyncExitStack() as stack:
        blobs = await stack.enter_async_context(open_blobs(settings.blobs_url))
        passwords = await stack.enter_async_context(open_passwords())
        upstreams = await stack.enter_async_context(proxy.open_upstreams(settings))
        outbox = HeardOutbox("catalog")
        catalog_key = settings.catalog_key.get_secret_value()
        callers = Callers(pool=pool, clock=utc_now)
        cookies = Cookies(browsers=Browsers(catalog_key.encode()), is_secure=settings.is_cookie_secure)
        members = Members(pool=pool, passwords=passwords, callers=callers, outbox=outbox, clock=utc_now)
        vault = Vault(settings.sync_key.get_secret_value())
        parts = Parts(
            pool=pool,
            outbox=outbox,
            blobs=blobs,
            caches=caches,
            shown=ShownProducts(pool),
            passwords=passwords,
            callers=callers,
            cookies=cookies,
            upstreams=upstreams,
            members=members,
            vault=vault,
            zone=ZoneInfo(settings.time_zone),
        )
        view = open_view(settings, parts)
        clients = Clients(settings.trusted_proxies)
        limits = _limits(settings, pool, clients)

        pressure = pressure or NoPressure()
        products = ProductRoutes(products=Products(pool=pool, outbox=outbox), shown=parts.shown, caches=caches)
        vendors = VendorRoutes(vendors=Vendors(pool=pool, passwords=passwords, outbox=outbox), caches=caches)
        reads = (products.public, vendors.public)

        app = new_app(
            middlewares=[
                page_middleware(view),
                shedding_middleware(pressure, in_need=cached_reads(reads, caches.lists, ReadThrough.last)),
                limits_middleware(limits),
                access_middleware(callers, catalog_key=catalog_key),
                dropping_middleware(caches),
            ]
        )
        app.on_response_prepare.append(tell_limits)
        from_memory = limited(cached_reads(reads, caches.lists), limits)
        app[SHORT_WAY] = short_way(from_memory, reads, limits=limits, pressure=pressure)
        if settings.cors_origins:
            app.on_response_prepare.append(telling_origins(settings.cors_origins))
            app[SHORT_WAY] = with_origins(app[SHORT_WAY], settings.cors_origins)
        app[CLIENTS] = clients
        app[CURSORS] = Cursors(catalog_key.encode())
        app.add_routes(_account_features(pool, outbox, passwords, callers, cookies))
        app.add_routes(vendors.routes())
        app.add_routes(MemberRoutes(members=members).routes())
        clearing = CacheClearing(pool=pool, outbox=outbox, zone=ZoneInfo(settings.time_zone), clock=utc_now)
        app.add_routes(CacheRoutes(pool=pool, replica=replica, clearing=clearing).routes())
        app.add_routes(category_routes(pool))
        audit_log = AuditLog(pool, [upstreams["jobs"], upstreams["scheduler"]])
        app.add_routes(audit_routes.routes(audit_log))
        app.add_routes(_product_features(pool, outbox, blobs, caches, products))
        app.add_routes(_sync_routes(pool, outbox, vault))
        monitoring = Monitoring(
            pool=pool,
            services=Neighbours(upstreams),
            stream=stream,
            caches=caches.counted,
            clock=utc_now,
            saw=recorder.saw,
        )
        app[MONITORING] = monitoring
        app.add_routes(monitoring_routes(monitoring))
        app.add_routes(FeedRoutes(feeds=feeds).routes())
        watched = Watched(
            monitoring=monitoring, recorder=recorder, replica=replica, clearing=clearing, audit_log=audit_log
        )
        app.add_routes(page_routes(settings, view, parts, watched))
        app.add_routes(contract_routes())
        app.add_routes(proxy.routes(upstreams))
        require_complete(app)
        app.on_shutdown.append(partial(_end, feeds))
        watch = SignedInWatch(feeds, pool=pool, callers=callers)
        await stack.enter_async_context(beating(feeds, watch, HealthPulse(feeds, monitoring)))
        yield app


async def _end(feeds: LiveFeeds, _: web.Application) -> None:
    """Feeds would keep their requests open for as long as they may."""
    feeds.close()


def _limits(settings: GatewaySettings, pool: Pool, clients: Clients) -> Limits:
    quotas = {
        Cost.CACHED: settings.limit_cached_per_minute,
        Cost.READ: settings.limit_read_per_minute,
        Cost.SEARCH: settings.limit_search_per_minute,
        Cost.WRITE: settings.limit_write_per_minute,
        Cost.UPLOAD: settings.limit_upload_per_minute,
        Cost.REPORT: settings.limit_report_per_minute,
        Cost.AUTH: settings.limit_auth_per_minute,
    }
    policies = [Policy(cost, quota) for cost, quota in quotas.items()]
    return Limits(policies, pool=pool, clients=clients)


def new_recorder() -> Recorder:
    """What remembers the traffic of this process."""
    return Recorder(utc_now, traffic=counted_traffic(SECONDS))


def open_caches(pool: Pool, *, liveness: Liveness | None = None) -> Caches:
    """The caches of one replica, checking with `pool` what they cannot be certain of."""

    async def are_current(rows: Rows) -> bool:
        async with connection(pool) as conn:
            return await cache_store.are_current(conn, rows)

    return Caches(are_current=are_current, liveness=liveness)


def _account_features(
    pool: Pool, outbox: Outbox, passwords: Passwords, callers: Callers, cookies: Cookies
) -> list[web.RouteDef]:
    """Sessions, profiles, API keys."""
    sessions = Sessions(pool=pool, passwords=passwords, clock=utc_now)
    profiles = Profiles(pool=pool, passwords=passwords, outbox=outbox)
    api_keys = ApiKeys(pool=pool, callers=callers, clock=utc_now)
    return [
        *SessionRoutes(sessions=sessions, cookies=cookies).routes(),
        *AccountRoutes(profiles=profiles, api_keys=api_keys).routes(),
    ]


def _product_features(
    pool: Pool, outbox: Outbox, blobs: Blobs, caches: Caches, routes: ProductRoutes
) -> list[web.RouteDef]:
    """Products, approval, images, inventory, orders: one line each."""
    products = routes.products
    images = Images(pool=pool, outbox=outbox, inbox=Inbox("catalog"))
    return [
        *routes.routes(),
        *ApprovalRoutes(approval=Approval(pool=pool, outbox=outbox), products=products).routes(),
        *ImageRoutes(images=images, products=products, blobs=blobs).routes(),
        *InventoryRoutes(inventory=Inventory(pool=pool, outbox=outbox), caches=caches).routes(),
        *OrderRoutes(orders=Orders(pool=pool, outbox=outbox)).routes(),
    ]


def _sync_routes(pool: Pool, outbox: Outbox, vault: Vault) -> list[web.RouteDef]:
    """Stock sources. A push's zeros are applied by the gateway, so the caches hear of them like of any change."""
    applying = Applying(pool=pool, outbox=outbox)
    return SyncRoutes(
        sources=Sources(pool=pool, outbox=outbox, vault=vault),
        pushes=Pushes(pool=pool, outbox=outbox, vault=vault, applying=applying, clock=utc_now),
    ).routes()
