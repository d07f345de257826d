"""Which pages there are, and what each is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from aiohttp import web

from services.catalog.accounts.cookies import Cookies
from services.catalog.accounts.passwords import Passwords
from services.catalog.accounts.sessions import Sessions
from services.catalog.accounts.usecases import ApiKeys, Callers, Profiles
from services.catalog.approval.usecases import Approval
from services.catalog.audit_log import AuditLog
from services.catalog.cache.caches import Caches
from services.catalog.cache.replica import CacheReplica
from services.catalog.cache_clearing import CacheClearing
from services.catalog.images.usecases import Images
from services.catalog.inventory.usecases import Inventory
from services.catalog.monitoring.neighbours import Neighbours
from services.catalog.monitoring.recorder import Recorder
from services.catalog.monitoring.usecases import Monitoring
from services.catalog.pages.account import AccountPages
from services.catalog.pages.admin_approvals import AdminApprovals
from services.catalog.pages.admin_audit import AdminAudit
from services.catalog.pages.admin_caches import AdminCaches
from services.catalog.pages.admin_home import AdminHome
from services.catalog.pages.admin_monitoring import AdminMonitoring
from services.catalog.pages.admin_products import AdminProducts
from services.catalog.pages.admin_vendors import AdminVendors
from services.catalog.pages.assets import Assets
from services.catalog.pages.board.jobs import JobPages
from services.catalog.pages.board.letters import LetterPages
from services.catalog.pages.board.people import People
from services.catalog.pages.board.places import PlacePages
from services.catalog.pages.board.schedules import SchedulePages
from services.catalog.pages.board.service import JobsService, SchedulerService
from services.catalog.pages.inbox import InboxPages
from services.catalog.pages.letters import Letters
from services.catalog.pages.reports import ReportPages
from services.catalog.pages.shelves import ShelfNames
from services.catalog.pages.signin import SignInPages
from services.catalog.pages.storefront import StorefrontPages
from services.catalog.pages.vendor_home import VendorHome
from services.catalog.pages.vendor_members import VendorMembers
from services.catalog.pages.vendor_products import VendorProducts
from services.catalog.pages.vendor_stock import VendorStock
from services.catalog.pages.vendor_sync import VendorSync
from services.catalog.pages.view import View
from services.catalog.products.shown import ShownProducts
from services.catalog.products.usecases import Products
from services.catalog.proxy import Upstream
from services.catalog.settings import GatewaySettings
from services.catalog.sync.usecases import Sources
from services.catalog.sync.vault import Vault
from services.catalog.vendors.members import Members
from services.catalog.vendors.usecases import Vendors
from shared.blobs import Blobs
from shared.clock import utc_now
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the gateway holds open, as far as pages use it."""

    pool: Pool
    outbox: Outbox
    blobs: Blobs
    caches: Caches
    shown: ShownProducts
    passwords: Passwords
    callers: Callers
    cookies: Cookies
    upstreams: Mapping[str, Upstream]
    members: Members
    vault: Vault
    zone: ZoneInfo
    """The marketplace's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the pages of admins and operators look at beside the catalogue."""

    monitoring: Monitoring
    recorder: Recorder
    replica: CacheReplica
    clearing: CacheClearing
    audit_log: AuditLog


def open_view(settings: GatewaySettings, parts: Parts) -> View:
    """The templates and assets, read and compiled once."""
    profiles = Profiles(pool=parts.pool, passwords=parts.passwords, outbox=parts.outbox)
    return View(Assets(), profiles=profiles, notifier=parts.upstreams["notifier"], public_url=settings.public_url)


def page_routes(settings: GatewaySettings, view: View, parts: Parts, watched: Watched) -> list[web.RouteDef]:
    """Every page: one line each."""
    pool, outbox = parts.pool, parts.outbox
    products = Products(pool=pool, outbox=outbox)
    vendors = Vendors(pool=pool, passwords=parts.passwords, outbox=outbox)
    sessions = Sessions(pool=pool, passwords=parts.passwords, clock=utc_now)
    inventory = Inventory(pool=pool, outbox=outbox)
    approval = Approval(pool=pool, outbox=outbox)
    shelf_names = ShelfNames(pool)
    jobs, scheduler = JobsService(parts.upstreams["jobs"]), SchedulerService(parts.upstreams["scheduler"])
    people = People(pool)
    return [
        *view.assets.routes(),
        *SignInPages(view=view, sessions=sessions, cookies=parts.cookies, callers=parts.callers).routes(),
        *StorefrontPages(
            view=view,
            products=products,
            shown=parts.shown,
            vendors=vendors,
            caches=parts.caches,
            pool=pool,
            shelf_names=shelf_names,
        ).routes(),
        *InboxPages(view=view, notifier=parts.upstreams["notifier"]).routes(),
        *AccountPages(
            view=view,
            profiles=Profiles(pool=pool, passwords=parts.passwords, outbox=outbox),
            sessions=sessions,
            api_keys=ApiKeys(pool=pool, callers=parts.callers, clock=utc_now),
            clock=utc_now,
        ).routes(),
        *VendorHome(view=view, products=products, inventory=inventory, pool=pool).routes(),
        *VendorProducts(
            view=view,
            products=products,
            images=Images(pool=pool, outbox=outbox, inbox=Inbox("catalog")),
            blobs=parts.blobs,
            caches=parts.caches,
            pool=pool,
            shelf_names=shelf_names,
        ).routes(),
        *VendorStock(view=view, inventory=inventory).routes(),
        *VendorSync(view=view, sources=Sources(pool=pool, outbox=outbox, vault=parts.vault), pool=pool).routes(),
        *VendorMembers(view=view, members=parts.members).routes(),
        *ReportPages(
            view=view, reporting=parts.upstreams["reporting"], vendors=vendors, clock=utc_now, zone=parts.zone
        ).routes(),
        *AdminHome(view=view, approval=approval, monitoring=watched.monitoring).routes(),
        *AdminMonitoring(
            view=view,
            monitoring=watched.monitoring,
            recorder=watched.recorder,
            services=Neighbours(parts.upstreams),
            pool=pool,
        ).routes(),
        *AdminCaches(view=view, replica=watched.replica, clearing=watched.clearing, pool=pool).routes(),
        *AdminAudit(view=view, log=watched.audit_log, pool=pool).routes(),
        *AdminVendors(view=view, vendors=vendors, members=parts.members, pool=pool).routes(),
        *AdminApprovals(view=view, approval=approval).routes(),
        *AdminProducts(
            view=view,
            products=products,
            approval=approval,
            vendors=vendors,
            letters=Letters(parts.upstreams["notifier"]),
            pool=pool,
            shelf_names=shelf_names,
        ).routes(),
        *JobPages(view=view, jobs=jobs, people=people, mail_search_url=settings.mail_search_url).routes(),
        *PlacePages(view=view, jobs=jobs).routes(),
        *SchedulePages(view=view, scheduler=scheduler, people=people).routes(),
        *LetterPages(view=view, jobs=jobs).routes(),
    ]
