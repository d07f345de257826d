"""A vendor's stock: all levels with their counts to type over, and one level with its history."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.answers import uuid_in_path
from services.catalog.inventory.models import Movement, MovementKind
from services.catalog.inventory.schemas import AdjustmentBody, LevelBody, ThresholdBody
from services.catalog.inventory.usecases import Inventory
from services.catalog.pages.callers import vendor_of
from services.catalog.pages.forms import fitted, read_form, whole_number
from services.catalog.pages.middleware import own_path
from services.catalog.pages.paging import Paging
from services.catalog.pages.view import View, done
from services.catalog.pages.wording import counted
from shared.errors import Conflict, InvalidInput

A_PAGE: Final = 48
KIND_WORDS: Final = {
    MovementKind.RECEIVE: "Received",
    MovementKind.ADJUST: "Counted",
    MovementKind.SALE: "Sold",
    MovementKind.RETURN: "Returned",
    MovementKind.SYNC: "Synchronised",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorStock:
    """`/vendor/inventory` and below."""

    view: View
    inventory: Inventory

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        one = "/vendor/inventory/{product_id}"
        return [
            web.get("/vendor/inventory", self.list_levels),
            web.get(one, self.history),
            web.post(one, self.count),
            web.post(f"{one}/move", self.move),
            web.post(f"{one}/threshold", self.set_threshold),
        ]

    async def list_levels(self, request: web.Request) -> web.Response:
        """All levels, or the low ones."""
        only_low = request.query.get("low") == "yes"
        paging = Paging(request, {"low": "yes"} if only_low else {})
        behind = paging.behind()
        below = None if behind is None else UUID(str(behind[0]))
        found = await self.inventory.levels(vendor_of(request), below=below, limit=A_PAGE + 1, only_low=only_low)
        listed = paging.listed(found, A_PAGE, lambda one: [str(one.product_id)])
        return await self.view.page(request, "vendor/stock.html.jinja", listed=listed, only_low=only_low)

    async def history(self, request: web.Request) -> web.Response:
        """One level with its movements. Raises `LevelNotFound`."""
        vendor_id, product_id, paging = vendor_of(request), uuid_in_path(request, "product_id"), Paging(request, {})
        behind = paging.behind()
        below = None if behind is None else int(behind[0])
        found = await self.inventory.movements(vendor_id, product_id, below=below, limit=A_PAGE + 1)
        return await self.view.page(
            request,
            "vendor/stock_history.html.jinja",
            level=await self.inventory.level(vendor_id, product_id),
            defaults=await self.inventory.defaults(vendor_id),
            listed=paging.listed(found, A_PAGE, lambda one: [one.version]),
            steps=_steps(found),
            kinds=KIND_WORDS,
        )

    async def count(self, request: web.Request) -> web.StreamResponse:
        """Set a level to what was counted, if it is still what the page showed."""
        values, product_id = await read_form(request), uuid_in_path(request, "product_id")
        back = own_path(values.get("back", ""), request) or f"/vendor/inventory/{product_id}"
        try:
            numbers = {name: whole_number(values, name) for name in ("on_hand", "expected_on_hand")}
            body = fitted(LevelBody, numbers)
            level = await self.inventory.set_level(
                actor_of(request), product_id, on_hand=body.on_hand, expected_on_hand=body.expected_on_hand
            )
        except (InvalidInput, Conflict) as exc:
            return done(back, exc.detail, tone="warn")
        return done(back, f"{level.title}: {counted(level.on_hand, 'piece')}.")

    async def move(self, request: web.Request) -> web.StreamResponse:
        """Add pieces that came, or take away those that went."""
        values, product_id = await read_form(request), uuid_in_path(request, "product_id")
        back, note = f"/vendor/inventory/{product_id}", values.get("note", "").strip()[:200]
        try:
            line = fitted(AdjustmentBody, {"product_id": product_id, "delta": whole_number(values, "delta")})
            kind = MovementKind.RECEIVE if line.delta > 0 else MovementKind.ADJUST
            await self.inventory.adjust(actor_of(request), {product_id: line.delta}, kind=kind, note=note)
        except (InvalidInput, Conflict) as exc:
            return done(back, exc.detail, tone="warn")
        return done(back, f"Moved by {line.delta:+,}.")

    async def set_threshold(self, request: web.Request) -> web.StreamResponse:
        """Say where low begins; empty leaves it to the default."""
        values, product_id = await read_form(request), uuid_in_path(request, "product_id")
        back = f"/vendor/inventory/{product_id}"
        try:
            given = whole_number(values, "threshold") if values.get("threshold", "").strip() else None
            body = fitted(ThresholdBody, {"threshold": given})
        except InvalidInput as exc:
            return done(back, exc.detail, tone="warn")
        level = await self.inventory.set_threshold(actor_of(request), product_id, threshold=body.threshold)
        return done(back, f"You are told at {counted(level.threshold, 'piece')}.")


def _steps(newest_first: Sequence[Movement]) -> list[int]:
    """The level after each movement, oldest first, and before the first of them."""
    if not newest_first:
        return []
    oldest = newest_first[-1]
    return [oldest.on_hand - oldest.delta, *(one.on_hand for one in reversed(newest_first))]
