"""The addresses of pictures, and of the renditions that pages show."""

import re
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.answers import answer, is_known, uuid_in_path
from services.catalog.idempotency import REPLAYED, once_key, once_key_for
from services.catalog.images.errors import MediaNotFound
from services.catalog.images.models import ORIGINALS, UPLOAD_PREFIX
from services.catalog.images.uploads import uploaded
from services.catalog.images.usecases import Images
from services.catalog.products.schemas import PictureBody, product_for_vendor
from services.catalog.products.usecases import Products
from shared.blobs import BlobNotFound, Blobs, content_type_of, digest_key
from shared.web.bodies import read_body
from shared.web.identity import IDENTITY

FOR_EVER: Final = "public, max-age=31536000, immutable"
"""A key names its content: what it stands for never changes."""
_RENDITION_KEY: Final = re.compile(r"renditions/[0-9a-f]{2}/[0-9a-f]{64}/v\d{1,4}/[a-z]{1,20}\.(?:webp|jpg)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRoutes:
    """Pictures of a vendor's products, and the renditions that pages show."""

    images: Images
    products: Products
    blobs: Blobs

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.post("/api/vendor/products/{id}/images", self.add),
            web.delete("/api/vendor/products/{id}/images/{image_id}", self.delete),
            web.post("/api/vendor/products/{id}/images/{image_id}/retry", self.retry),
            web.get("/media/{key:.+}", self.media),
        ]

    async def add(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/products/{id}/images`: multipart with `file`, or JSON with `url`.

        201 with the product and `image_id`, which one is new.
        """
        product_id, account_id = uuid_in_path(request), request[IDENTITY].account_id
        # Whose product it is comes first: nobody stores files under another vendor's product.
        await self.products.one(product_id, vendor_id=request[IDENTITY].vendor_id)
        if request.content_type.startswith("multipart/"):
            async with uploaded(request) as upload:
                key = digest_key(ORIGINALS, upload.sha256, upload.extension)
                once = once_key_for(request, account_id, f"{key} {upload.alt}".encode())
                await self.blobs.put(key, upload.path)
            source, alt = f"{UPLOAD_PREFIX}{key}", upload.alt
        else:
            body = await read_body(request, PictureBody)
            once = await once_key(request, account_id)
            source, alt = body.url, body.alt
        added = await self.images.add(actor_of(request), product_id, source=source, alt=alt, once=once)
        return answer(
            {**product_for_vendor(added.product), "image_id": added.image_id},
            status=201,
            etag=added.product.etag,
            headers={"Location": f"/api/vendor/products/{product_id}", **({} if added.is_new else REPLAYED)},
        )

    async def delete(self, request: web.Request) -> web.Response:
        """`DELETE /api/vendor/products/{id}/images/{image_id}`."""
        await self.images.delete(actor_of(request), uuid_in_path(request), uuid_in_path(request, "image_id"))
        return web.Response(status=204)

    async def retry(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/products/{id}/images/{image_id}/retry`."""
        product = await self.images.retry(actor_of(request), uuid_in_path(request), uuid_in_path(request, "image_id"))
        return answer(product_for_vendor(product), status=202, etag=product.etag)

    async def media(self, request: web.Request) -> web.Response:
        """`GET /media/{key}`: renditions only, by the very form of their keys."""
        key = request.match_info["key"]
        if _RENDITION_KEY.fullmatch(key) is None:
            raise MediaNotFound
        headers = {"Cache-Control": FOR_EVER, "ETag": f'"{key}"'}
        if is_known(request, key):
            return web.Response(status=304, headers=headers)
        try:
            content = await self.blobs.get(key)
        except BlobNotFound as exc:
            raise MediaNotFound from exc
        return web.Response(body=content, headers={**headers, "Content-Type": content_type_of(key)})
