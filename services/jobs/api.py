"""Composition root of `python -m services.jobs api`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from services.jobs.activity.routes import routes as activity_routes
from services.jobs.activity.usecases import ActivityDesk
from services.jobs.audit.routes import routes as audit_routes
from services.jobs.control.routes import routes as control_routes
from services.jobs.control.store import ControlStore
from services.jobs.control.usecases import ControlDesk
from services.jobs.dead_letters.routes import routes as letter_routes
from services.jobs.dead_letters.store import LetterStore
from services.jobs.dead_letters.usecases import LetterDesk
from services.jobs.health.figures import Figures
from services.jobs.health.store import HealthStore
from services.jobs.health.usecases import HealthDesk
from services.jobs.parts import make_desk, make_ledger
from services.jobs.queues.management import Management, open_management
from services.jobs.queues.routes import routes as queue_routes
from services.jobs.queues.usecases import QueueDesk
from services.jobs.routes import routes
from services.jobs.settings import Settings
from shared.clock import utc_now
from shared.db.pool import Pool, open_pool
from shared.web.checks import database_answers
from shared.web.cursors import Cursors
from shared.web.identity import identity_middleware
from shared.web.ops import operations_port
from shared.web.paging import CURSORS
from shared.web.server import new_app, serving


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """Answer on the api's port. Needs the database only: what it writes, the ledger process publishes."""
    if settings.jobs_key is None:
        raise SystemExit("SOUK_JOBS_KEY is missing: the api checks with it who the gateway says is asking.")
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(settings.jobs_database_url.get_secret_value(), name="jobs-api")
        )
        management = await stack.enter_async_context(open_management(settings))
        app = make_app(settings, pool, management)
        await stack.enter_async_context(serving(app, host=settings.http_host, port=settings.http_port))
        checks, refresh = {"database": database_answers(pool)}, [Figures(pool, HealthStore()).refresh]
        await stack.enter_async_context(operations_port(settings, checks, refresh=refresh))
        yield


def make_app(settings: Settings, pool: Pool, management: Management | None) -> web.Application:
    """Every route of the api."""
    assert settings.jobs_key is not None, "asked for by `running`"
    key = settings.jobs_key.get_secret_value()
    app = new_app(middlewares=[identity_middleware(service="jobs", key=key)])
    app[CURSORS] = Cursors(key.encode())
    health = HealthStore()
    # Control first: its fixed addresses stand before the jobs' `{id}`.
    app.add_routes(control_routes(ControlDesk(pool, make_ledger(), ControlStore(), utc_now)))
    app.add_routes(letter_routes(LetterDesk(pool, make_ledger(), LetterStore())))
    app.add_routes(audit_routes(pool))
    app.add_routes(activity_routes(ActivityDesk(pool, utc_now)))
    app.add_routes(queue_routes(QueueDesk(pool, health, management, settings)))
    app.add_routes(routes(make_desk(pool, settings), HealthDesk(pool, health)))
    return app
