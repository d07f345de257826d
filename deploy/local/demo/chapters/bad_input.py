"""What must not be: each request is answered with its own problem, and leaves everything as it was."""

from typing import Any, NamedTuple
from uuid import UUID

import aiohttp

from deploy.local.demo.people import problem_of
from deploy.local.demo.stage import Stage, check

NOBODYS = UUID(int=(7 << 76) | (2 << 62))
"""A well-formed id that was never given out."""
PRICE = {"amount_minor": 4900, "currency": "EUR"}


class _Before(NamedTuple):
    """What the requests must leave alone."""

    newest_audit_entry: str
    product_version: int
    pictures: int
    on_hand: int
    submitted: int


async def send(stage: Stage) -> None:
    """Nine requests, nine refusals, and a look at what is there before and after."""
    before = await _look(stage)
    vendor, other, own = stage.vendor, stage.vendors[1], f"/api/vendor/products/{stage.product_id}"
    offer = {"sku": "NEVER", "title": "Never", "description": "", "price": PRICE, "category": "kitchen", "on_hand": 1}
    without_price = {name: value for name, value in offer.items() if name != "price"}
    answers = [
        ("invalid_input /price", await vendor.post("/api/vendor/products", without_price, expect=422)),
        ("invalid_input /on_hand", await vendor.post("/api/vendor/products", {**offer, "on_hand": "one"}, expect=422)),
        ("not_an_image /file", await vendor.post(f"{own}/images", form=_no_picture(), expect=422)),
        ("product_not_found", await other.patch(own, {"title": "Mine now"}, version=1, expect=404)),
        ("forbidden", await vendor.post(f"/api/admin/products/{stage.product_id}/approve", expect=403)),
        ("wrong_status", await stage.admin.post(f"/api/admin/products/{stage.product_id}/approve", expect=409)),
        ("product_not_found", await stage.admin.post(f"/api/admin/products/{NOBODYS}/approve", expect=404)),
        ("unknown_product /lines/0/product_id", await _order(stage, str(NOBODYS), 1, expect=422)),
        ("insufficient_stock /lines/0/quantity", await _order(stage, stage.product_id, 999, expect=409)),
    ]
    for wanted, problem in answers:
        check(problem_of(problem) == wanted, f"expected the problem {wanted}, got {problem}")
    after = await _look(stage)
    check(after == before, f"bad input changed something: {before} became {after}")
    stage.show.fact("catalogue", "as it was: same products, versions, pictures and stock, no new line in the audit log")


async def _look(stage: Stage) -> _Before:
    audit = await stage.admin.get("/api/admin/audit?limit=1", quiet=True)
    product = await stage.vendor.get(f"/api/vendor/products/{stage.product_id}", quiet=True)
    listed = await stage.vendor.get("/api/vendor/products?limit=100", quiet=True)
    return _Before(
        newest_audit_entry=audit["items"][0]["id"],
        product_version=product["version"],
        pictures=len(product["images"]),
        on_hand=product["on_hand"],
        submitted=len(listed["items"]),
    )


async def _order(stage: Stage, product_id: str, quantity: int, *, expect: int) -> Any:
    line = {"product_id": product_id, "quantity": quantity, "unit_price": PRICE}
    order = {"external_id": f"never-{stage.product['sku']}", "lines": [line]}
    return await stage.channel.post("/api/orders", order, expect=expect)


def _no_picture() -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", b"<svg onload='alert(1)'/>", filename="bowl.jpg", content_type="image/jpeg")
    form.add_field("alt", "No picture at all")
    return form
