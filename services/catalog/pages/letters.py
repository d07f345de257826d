"""Letters before they are sent: the notifier writes them, and is asked over HTTP in the admin's name."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import aiohttp
from pydantic import ValidationError

from services.catalog.monitoring.models import Asker, Heard
from services.catalog.products.models import Product
from services.catalog.proxy import Upstream
from shared.contracts.base import Reason
from shared.encoding import to_json
from shared.errors import Unavailable

PREVIEW: Final = "/api/admin/letters/preview"
ANSWER_SECONDS: Final = 5.0
REJECTED: Final = "product_rejected"


class Preview(Heard):
    """A letter, and the names of those who would get it."""

    to: tuple[str, ...]
    unwanted: tuple[str, ...]
    subject: str
    html: str
    text: str


class Letters:
    """Asks the notifier."""

    def __init__(self, notifier: Upstream) -> None:
        self._notifier = notifier

    async def rejection(self, asker: Asker, product: Product, reasons: Sequence[Reason]) -> Preview:
        """What a product's vendor would read. Its params are those of the job that the jobs service would make.

        Raises `Unavailable`, also when the vendor has nobody to write to.
        """
        params = {
            "product_id": str(product.id),
            "title": product.title,
            "reasons": [{"code": reason.code, "note": reason.note} for reason in reasons],
            "is_change": product.is_change_pending,
        }
        return await self._asked(asker, REJECTED, params, vendor_id=product.vendor.id)

    async def _asked(self, asker: Asker, letter: str, params: Mapping[str, Any], *, vendor_id: UUID) -> Preview:
        upstream = self._notifier
        headers = {
            **upstream.signed(asker.identity, method="POST", path=PREVIEW, request_id=asker.request_id),
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        }
        body = to_json({"letter": letter, "params": params, "vendor_id": vendor_id})
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                upstream.client.post(upstream.url + PREVIEW, data=body, headers=headers) as answer,
            ):
                told = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise Unavailable("The service that writes letters does not answer now.") from exc
        if answer.status == 404:
            raise Unavailable("The vendor has nobody with an address.")
        try:
            return Preview.model_validate_json(told)
        except ValidationError as exc:
            raise Unavailable(f"The service that writes letters answered {answer.status}.") from exc
