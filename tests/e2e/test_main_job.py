"""The main job as a vendor and a visitor live through it; `test_demo.py` has the whole of it."""

from io import BytesIO

from PIL import Image

from deploy.local.pictures import photo
from tests.e2e.marketplace import Shop

RENDITIONS = {(preset, form) for preset in ("thumb", "card", "page", "zoom") for form in ("webp", "jpg")}
WIDTH = {"thumb": 160, "card": 320, "page": 1024, "zoom": 2048}


async def test_media_serves_each_rendition_with_the_bytes_that_the_catalogue_says(shop: Shop) -> None:
    product = await shop.submit(pictures=[photo(21, 2400, 1600), photo(22, 300, 500)])
    await shop.settled(product, pictures=2)
    shown = await shop.get("vendor", f"/api/vendor/products/{product['id']}")
    for image in shown["images"]:
        assert image["placeholder"].startswith("data:image/webp;base64,")
        assert {(each["preset"], each["format"]) for each in image["renditions"]} == RENDITIONS
        for rendition in image["renditions"]:
            async with shop.http.get(f"{shop.gateway}{rendition['url']}") as served:
                content = await served.read()
            assert (served.status, len(content)) == (200, rendition["bytes"])
            assert served.content_type == {"webp": "image/webp", "jpg": "image/jpeg"}[rendition["format"]]
            with Image.open(BytesIO(content)) as picture:
                assert picture.size == (rendition["width"], rendition["height"])
                assert picture.width <= WIDTH[rendition["preset"]]
