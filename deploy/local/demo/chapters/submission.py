"""A product is submitted with its pictures, and what comes of that by itself."""

from typing import Any

import aiohttp

from deploy.local.demo.people import DemoFailed
from deploy.local.demo.stage import SKU_PREFIX, Stage
from deploy.local.pictures import photo

PICTURES = 2
RENDERED_SECONDS = 120.0
"""On a fresh machine the pictures of the whole catalogue are before these."""


async def submit(stage: Stage) -> None:
    """One request with the product, one per picture."""
    offer = {
        "sku": f"{SKU_PREFIX}{stage.begun_at:%y%m%d-%H%M%S}",
        "title": "Hand-turned bowl",
        "description": "A bowl of wood.",
        "price": {"amount_minor": 4900, "currency": "EUR"},
        "category": "kitchen",
        "on_hand": 6,
    }
    stage.product = await stage.vendor.post("/api/vendor/products", offer, expect=201)
    for seed in range(1, PICTURES + 1):
        form = aiohttp.FormData()
        form.add_field("file", photo(seed), filename=f"bowl-{seed}.jpg", content_type="image/jpeg")
        form.add_field("alt", f"The bowl, picture {seed}")
        await stage.vendor.post(f"/api/vendor/products/{stage.product_id}/images", form=form, expect=201)


async def hear_of_it(stage: Stage) -> None:
    """The admin's mail, and every rendition."""
    await stage.mail_to(stage.admin, about="To review: Hand-turned bowl")

    async def ready() -> list[dict[str, Any]] | None:
        product = await stage.vendor.get(f"/api/vendor/products/{stage.product_id}", quiet=True)
        images: list[dict[str, Any]] = product["images"]
        if any(image["status"] == "failed" for image in images):
            raise DemoFailed(f"a picture failed: {images}")
        return images if len(images) == PICTURES and all(i["status"] == "ready" for i in images) else None

    first, *others = await stage.until("the pictures are ready", ready, seconds=RENDERED_SECONDS)
    for rendition in first["renditions"]:
        stage.show.rendition(rendition)
    for image in others:
        size = sum(rendition["bytes"] for rendition in image["renditions"])
        stage.show.fact("picture", f"the other one likewise: {len(image['renditions'])} files, {size / 1000:.0f} kB")
