"""Composition root of the gateway: the public HTTP API, and what it passes on to other services."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from services.catalog import audit_routes, proxy
from services.catalog.access import access_middleware, require_complete
from services.catalog.accounts.passwords import open_passwords
from services.catalog.accounts.routes import AccountRoutes
from services.catalog.accounts.usecases import ApiKeys, Callers, Profiles, SignIn
from services.catalog.answers import CURSORS
from services.catalog.approval.routes import ApprovalRoutes
from services.catalog.approval.usecases import Approval
from services.catalog.categories.routes import routes as category_routes
from services.catalog.cursors import Cursors
from services.catalog.housekeeping import Housekeeping
from services.catalog.images.routes import ImageRoutes
from services.catalog.images.usecases import Images
from services.catalog.inventory.routes import InventoryRoutes
from services.catalog.inventory.usecases import Inventory
from services.catalog.monitoring.neighbours import Neighbours
from services.catalog.monitoring.routes import routes as monitoring_routes
from services.catalog.monitoring.usecases import Monitoring
from services.catalog.orders.routes import OrderRoutes
from services.catalog.orders.usecases import Orders
from services.catalog.products.routes import ProductRoutes
from services.catalog.products.usecases import Products
from services.catalog.settings import GatewaySettings
from services.catalog.vendors.routes import VendorRoutes
from services.catalog.vendors.usecases import Vendors
from shared.blobs import Blobs, open_blobs
from shared.clock import utc_now
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Pool, open_pool
from shared.lifecycle import background, every
from shared.web.checks import database_answers
from shared.web.ops import operations_port
from shared.web.server import new_app, serving

HOUSEKEEPING_SECONDS = 600
POOL_SIZE = 16


@asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncIterator[None]:
    """Answer requests while the block runs. The broker is not needed: events wait in the outbox."""
    async with AsyncExitStack() as stack:
        url = settings.catalog_database_url.get_secret_value()
        pool = await stack.enter_async_context(open_pool(url, name="gateway", max_size=POOL_SIZE))
        app = await stack.enter_async_context(open_app(settings, pool))
        await stack.enter_async_context(
            background(every(HOUSEKEEPING_SECONDS, Housekeeping(pool).run_once), name="housekeeping")
        )
        await stack.enter_async_context(
            serving(app, host=settings.http_host, port=settings.http_port, grace_seconds=settings.grace_seconds)
        )
        await stack.enter_async_context(operations_port(settings, {"database": database_answers(pool)}))
        yield


@asynccontextmanager
async def open_app(settings: GatewaySettings, pool: Pool) -> AsyncIterator[web.Application]:
    """The application with everything it holds open. Raises `RouteWithoutAccess` if a route has no row."""
    async with AsyncExitStack() as stack:
        blobs = await stack.enter_async_context(open_blobs(settings.blobs_url))
        passwords = await stack.enter_async_context(open_passwords())
        upstreams = await stack.enter_async_context(proxy.open_upstreams(settings))
        outbox = Outbox("catalog")
        catalog_key = settings.catalog_key.get_secret_value()
        callers = Callers(pool=pool, clock=utc_now)

        app = new_app(middlewares=[access_middleware(callers, catalog_key=catalog_key)])
        app[CURSORS] = Cursors(catalog_key.encode())
        app.add_routes(
            AccountRoutes(
                sign_in=SignIn(pool=pool, passwords=passwords, clock=utc_now),
                profiles=Profiles(pool=pool, passwords=passwords, outbox=outbox),
                api_keys=ApiKeys(pool=pool, callers=callers, clock=utc_now),
                is_secure=settings.is_cookie_secure,
            ).routes()
        )
        app.add_routes(VendorRoutes(vendors=Vendors(pool=pool, passwords=passwords, outbox=outbox)).routes())
        app.add_routes(category_routes(pool))
        app.add_routes(audit_routes.routes(pool))
        app.add_routes(_product_features(pool, outbox, blobs))
        app.add_routes(
            monitoring_routes(
                Monitoring(pool=pool, services=Neighbours(upstreams), stream=None, caches=dict, clock=utc_now)
            )
        )
        app.add_routes(proxy.routes(upstreams))
        require_complete(app)
        yield app


def _product_features(pool: Pool, outbox: Outbox, blobs: Blobs) -> list[web.RouteDef]:
    """Products, approval, images, inventory, orders: one line each."""
    products = Products(pool=pool, outbox=outbox)
    images = Images(pool=pool, outbox=outbox, inbox=Inbox("catalog"))
    return [
        *ProductRoutes(products=products).routes(),
        *ApprovalRoutes(approval=Approval(pool=pool, outbox=outbox), products=products).routes(),
        *ImageRoutes(images=images, products=products, blobs=blobs).routes(),
        *InventoryRoutes(inventory=Inventory(pool=pool, outbox=outbox)).routes(),
        *OrderRoutes(orders=Orders(pool=pool, outbox=outbox)).routes(),
    ]
