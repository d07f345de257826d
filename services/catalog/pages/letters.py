"""Letters before they are sent: the notifier writes them, and is asked over HTTP in the admin's name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from services.catalog.asking import ask
from services.catalog.monitoring.models import Heard
from services.catalog.products.models import Product
from services.catalog.proxy import Upstream
from shared.contracts.base import Reason

PREVIEW: Final = "/api/admin/letters/preview"
REJECTED: Final = "product_rejected"


class Preview(Heard):
    """A letter, and the names of those who would get it."""

    to: tuple[str, ...]
    unwanted: tuple[str, ...]
    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Letters:
    """Asks the notifier."""

    notifier: Upstream

    async def rejection(self, request: web.Request, product: Product, reasons: Sequence[Reason]) -> Preview:
        """What a product's vendor would read. Its params are those of the job that the jobs service would make.

        Raises `NotFound` when the vendor has nobody to write to, and what else `ask` raises.
        """
        params = {
            "product_id": str(product.id),
            "title": product.title,
            "reasons": [{"code": reason.code, "note": reason.note} for reason in reasons],
            "is_change": product.is_change_pending,
        }
        body = {"letter": REJECTED, "params": params, "vendor_id": product.vendor.id}
        return await ask(request, self.notifier, Preview, PREVIEW, method="POST", body=body)
