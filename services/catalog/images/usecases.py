"""What can be done to pictures, and what their answers change."""

from dataclasses import dataclass
from uuid import UUID

from services.catalog import audit
from services.catalog.idempotency import OnceKey, keep, made_before
from services.catalog.images import store
from services.catalog.images.errors import NothingToRetry, PictureNotFound, TooManyPictures
from services.catalog.images.models import NewPicture
from services.catalog.models import Actor
from services.catalog.products import store as products
from services.catalog.products.errors import ContentClosed, ProductNotFound
from services.catalog.products.models import MAX_PICTURES, PICTURES_OPEN, PictureStatus, Product, Status
from services.catalog.products.store import Touched
from services.catalog.proposals.usecases import propose
from shared.contracts.envelope import Envelope
from shared.contracts.events import ImageFailed, ImageProcessed, JobFailed, ProductChanged
from shared.contracts.jobs import ProcessImage
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Connection, Pool, transaction
from shared.ids import new_id

ANY_STATUS = frozenset(Status)


@dataclass(frozen=True, slots=True)
class Added:
    """A product with a picture, and whether this very request gave it."""

    product: Product
    image_id: UUID
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Pictures, as vendors give them and imaging answers for them."""

    pool: Pool
    outbox: Outbox
    inbox: Inbox

    async def add(self, actor: Actor, product_id: UUID, *, source: str, alt: str, once: OnceKey | None = None) -> Added:
        """Give a product one more picture and ask for its renditions; an approved one as a proposal.

        An upload is stored before this: a crash in between leaves a file nobody refers to, named by its content, so
        that the same upload finds it again. Raises `ProductNotFound`, `ContentClosed`, `TooManyPictures`,
        `VendorNotActive`, and what `made_before` raises.
        """
        async with transaction(self.pool) as conn:
            if (known := await made_before(conn, once)) is not None:
                return Added(await _read(conn, product_id), known, is_new=False)
            touched = await _touched(conn, actor, product_id)
            count, position = await store.places(conn, product_id)
            if count >= MAX_PICTURES:
                raise TooManyPictures
            picture = NewPicture(new_id(), product_id, position, alt, source, is_proposed=touched.is_approved)
            ids = await self.outbox.add(conn, picture.added(touched.vendor_id), _changed(product_id, touched, more=1))
            await store.insert(conn, [picture], ids[:1])
            await audit.record(
                conn, actor, "image.added", kind="product", object_id=product_id, image_id=str(picture.id)
            )
            if touched.is_approved:
                await propose(conn, self.outbox, actor, await _read(conn, product_id))
            await keep(conn, once, picture.id)
            return Added(await _read(conn, product_id), picture.id, is_new=True)

    async def delete(self, actor: Actor, product_id: UUID, image_id: UUID) -> Product:
        """Take a picture away; from an approved product as a proposal.

        Raises `ProductNotFound`, `ContentClosed`, `PictureNotFound`, `VendorNotActive`.
        """
        async with transaction(self.pool) as conn:
            touched = await _touched(conn, actor, product_id)
            take_away = store.propose_removal if touched.is_approved else store.delete
            if not await take_away(conn, image_id, product_id):
                raise PictureNotFound
            await self.outbox.add(conn, _changed(product_id, touched, more=-1))
            await audit.record(
                conn, actor, "image.deleted", kind="product", object_id=product_id, image_id=str(image_id)
            )
            if touched.is_approved:
                await propose(conn, self.outbox, actor, await _read(conn, product_id))
            return await _read(conn, product_id)

    async def retry(self, actor: Actor, product_id: UUID, image_id: UUID) -> Product:
        """Ask once more for the renditions of a picture that failed, in any status: it is the picture given before.

        Raises `ProductNotFound`, `PictureNotFound`, `NothingToRetry`.
        """
        async with transaction(self.pool) as conn:
            touched = await _touched(conn, actor, product_id, statuses=ANY_STATUS)
            picture = await store.for_retry(conn, image_id, product_id)
            if picture is None:
                raise PictureNotFound
            if picture.status != PictureStatus.FAILED:
                raise NothingToRetry
            again = NewPicture(image_id, product_id, 0, "", picture.source)
            ids = await self.outbox.add(
                conn, again.added(touched.vendor_id, round_=picture.round + 1), _changed(product_id, touched)
            )
            await store.ask_again(conn, image_id, ids[0])
            await audit.record(
                conn, actor, "image.retried", kind="product", object_id=product_id, image_id=str(image_id)
            )
            return await _read(conn, product_id)

    async def processed(self, event: ImageProcessed, envelope: Envelope) -> None:
        """Show the renditions. Without effect for a repeated answer, or a deleted picture's."""
        async with transaction(self.pool) as conn:
            if not await self.inbox.first_time(conn, envelope.id):
                return
            if await store.ready(conn, event):
                touched = await products.touch(conn, event.product_id, statuses=ANY_STATUS)
                assert touched is not None, "a picture's product exists by constraint"
                await self.outbox.add(conn, _changed(event.product_id, touched), cause=envelope.id)

    async def job_failed(self, event: JobFailed, envelope: Envelope) -> None:
        """Say that a picture failed when its job did for good, a crash or a time-out of the worker included.

        Without effect for other types, and for a picture that was asked for again or deleted since.
        """
        if event.job_type != ProcessImage.type or event.cause_id is None:
            return
        async with transaction(self.pool) as conn:
            if not await self.inbox.first_time(conn, envelope.id):
                return
            failed = await store.failed(conn, event.cause_id, event.error_message[:500])
            if failed is not None:
                touched = await products.touch(conn, failed.product_id, statuses=ANY_STATUS)
                assert touched is not None, "a picture's product exists by constraint"
                told = ImageFailed(
                    vendor_id=touched.vendor_id,
                    image_id=failed.id,
                    product_id=failed.product_id,
                    reason=event.error_message[:500],
                )
                await self.outbox.add(conn, told, _changed(failed.product_id, touched), cause=envelope.id)


async def _touched(
    conn: Connection, actor: Actor, product_id: UUID, *, statuses: frozenset[Status] = PICTURES_OPEN
) -> Touched:
    """The actor's product with its version raised, held. Raises `ProductNotFound`, `ContentClosed`."""
    touched = await products.touch(conn, product_id, statuses=statuses, vendor_id=actor.vendor_id)
    if touched is None:
        product = await products.one(conn, product_id, vendor_id=actor.vendor_id)
        if product is None:
            raise ProductNotFound.any()
        raise ContentClosed(f"The product is {product.status}: its pictures stay as they are.")
    return touched


async def _read(conn: Connection, product_id: UUID) -> Product:
    product = await products.one(conn, product_id)
    assert product is not None, "held by this transaction"
    return product


def _changed(product_id: UUID, touched: Touched, *, more: int = 0) -> ProductChanged:
    """The event of a picture's change. `more` pictures than were counted are there, if that is no proposal."""
    return ProductChanged(
        vendor_id=touched.vendor_id,
        product_id=product_id,
        version=touched.version,
        slug=touched.slug,
        status=touched.status,
        pictures=touched.pictures + (0 if touched.is_approved else more),
    )
