"""`/vendor`: what needs its vendor today."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from services.catalog.inventory.usecases import Inventory
from services.catalog.pages import store
from services.catalog.pages.callers import vendor_of
from services.catalog.pages.history import explained
from services.catalog.pages.store import FailingSource, Waiting
from services.catalog.pages.view import View
from services.catalog.pages.wording import counted
from services.catalog.products.models import Product, Status
from services.catalog.products.usecases import Products
from shared.db.pool import Pool, connection

SHOWN: Final = 5
REJECTED_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Task:
    """A line of what is to be done, and where."""

    tone: str
    icon: str
    title: str
    detail: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorHome:
    """A vendor's first page."""

    view: View
    products: Products
    inventory: Inventory
    pool: Pool

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [web.get("/vendor", self.today)]

    async def today(self, request: web.Request) -> web.Response:
        """What is to be done, the products by status, and what runs low."""
        vendor_id = vendor_of(request)
        async with connection(self.pool) as conn:
            counts = await store.status_counts(conn, vendor_id)
            waiting = await store.waiting(conn, vendor_id)
            failing = await store.failing_sources(conn, vendor_id, limit=SHOWN)
        rejected = await self.products.of_vendor(vendor_id, status=Status.REJECTED, below=None, limit=REJECTED_SHOWN)
        return await self.view.page(
            request,
            "vendor/today.html.jinja",
            tasks=[*_rejections(counts, rejected), *_failing(failing), *_tasks(counts, waiting)],
            counts=counts,
            low=await self.inventory.levels(vendor_id, below=None, limit=SHOWN, only_low=True),
            newest=await self.products.of_vendor(vendor_id, status=None, below=None, limit=SHOWN),
        )


def _rejections(counts: Mapping[Status, int], newest: Sequence[Product]) -> Iterator[Task]:
    """The newest with why each was turned down; the rest as a number."""
    for product in newest:
        reasons = (f"{text}: {said}" if said else text for text, said in explained(product.reasons))
        detail = " · ".join(reasons) or "Read why, change it, and submit it again."
        yield Task("bad", "alert", f"Changes needed: {product.title}", detail, f"/vendor/products/{product.id}")
    if (more := counts.get(Status.REJECTED, 0) - len(newest)) > 0:
        title = f"{counted(more, 'more product')} {'needs' if more == 1 else 'need'} changes"
        yield Task("bad", "alert", title, "See all of them with their reasons.", "/vendor/products?status=rejected")


def _failing(sources: Sequence[FailingSource]) -> Iterator[Task]:
    for source in sources:
        detail = source.problem or "Your stock is not brought in line by it."
        yield Task("bad", "sync", f"Stock source failing: {source.name}", detail, f"/vendor/sync-sources/{source.id}")


def _tasks(counts: Mapping[Status, int], waiting: Waiting) -> Iterator[Task]:
    """The most urgent first."""
    if waiting.low:
        detail = "At or below the level at which you want to be told."
        yield Task(
            "warn", "layers", f"{counted(waiting.low, 'product')} running low", detail, "/vendor/inventory?low=yes"
        )
    if waiting.failed_pictures:
        title = f"Pictures of {counted(waiting.failed_pictures, 'product')} could not be used"
        yield Task(
            "warn",
            "image",
            title,
            "Try them again, or give others.",
            f"/vendor/products/{waiting.newest_with_failed_picture}",
        )
    if number := counts.get(Status.DRAFT, 0):
        title = f"{counted(number, 'draft')} to finish"
        yield Task("info", "box", title, "Only you see them until you submit them.", "/vendor/products?status=draft")
