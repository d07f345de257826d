"""Bodies and objects for tests: valid as they are, each call another one; name what matters to the test."""

from itertools import count
from typing import Any
from uuid import UUID

from aiohttp import ClientSession

_numbers = count(1)


def offer(**fields: Any) -> dict[str, Any]:
    """The body of a new product."""
    number = next(_numbers)
    return {
        "sku": f"SKU-{number}",
        "title": f"Oak chair {number}",
        "description": "A chair of oak, oiled, for a table of 72 to 76 cm.",
        "price": {"amount_minor": 12900, "currency": "EUR"},
        "category": "furniture",
        "on_hand": 10,
        **fields,
    }


async def make_product(vendor: ClientSession, **fields: Any) -> dict[str, Any]:
    """Offer a product over HTTP; what the gateway answers."""
    async with vendor.post("/api/vendor/products", json=offer(**fields)) as answer:
        assert answer.status == 201, await answer.text()
        product: dict[str, Any] = await answer.json()
        return product


async def make_approved(vendor: ClientSession, admin: ClientSession, **fields: Any) -> dict[str, Any]:
    """Offer a product and let it into the catalogue."""
    product = await make_product(vendor, **fields)
    async with admin.post(f"/api/admin/products/{product['id']}/approve") as answer:
        assert answer.status == 200, await answer.text()
        approved: dict[str, Any] = await answer.json()
        return approved


def order(*lines: tuple[str | UUID, int], **fields: Any) -> dict[str, Any]:
    """The body of an order: pairs of product and quantity."""
    return {
        "external_id": f"web-{next(_numbers)}",
        "lines": [
            {
                "product_id": str(product_id),
                "quantity": quantity,
                "unit_price": {"amount_minor": 12900, "currency": "EUR"},
            }
            for product_id, quantity in lines
        ],
        **fields,
    }
