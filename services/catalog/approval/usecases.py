"""Decisions about products. Each is one guarded UPDATE with its audit line and its events in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.catalog.models import Actor
from services.catalog.products import store
from services.catalog.products.models import Action, Product, Status
from services.catalog.products.store import WaitingCounts
from services.catalog.products.usecases import held, moved, touched
from services.catalog.proposals import usecases as proposals
from shared.contracts.base import Reason
from shared.contracts.events import ProductApproved, ProductReinstated, ProductRejected, ProductSuspended
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Products as admins decide about them, and what is proposed of approved ones.

    Of two who decide at once one wins, the other gets `WrongStatus`. Every decision raises `ProductNotFound` too, and
    `VersionMismatch` when `version` names what was looked at and it is another by now; without it, a proposal that was
    changed since it was announced raises `ProposalRevised`. A lost reply to COMMIT leaves the caller to read the
    product: deciding again then answers `WrongStatus`.
    """

    pool: Pool
    outbox: Outbox

    async def approve(self, actor: Actor, product_id: UUID, *, version: int | None = None) -> Product:
        """Let a pending product into the catalogue, or what is proposed of an approved one."""
        async with transaction(self.pool) as conn:
            before = await held(conn, product_id, version=version)
            if before.is_change_pending:
                await proposals.accept(conn, actor, before, is_seen=version is not None)
                product = await touched(conn, product_id)
            else:
                product = await moved(conn, actor, product_id, Action.APPROVE)
            approved = ProductApproved(
                vendor_id=product.vendor.id,
                product_id=product.id,
                version=product.version,
                title=product.title,
                slug=product.slug,
                is_change=before.is_change_pending,
            )
            await self.outbox.add(conn, approved, product.changed())
            return product

    async def reject(
        self, actor: Actor, product_id: UUID, reasons: Sequence[Reason], *, version: int | None = None
    ) -> Product:
        """Turn a pending product down, or what is proposed of an approved one, for at least one reason.

        Its vendor changes it and submits it again; an approved product stays in the catalogue as it is.
        """
        assert reasons, "the edge asks for at least one"
        kept = [reason.model_dump() for reason in reasons]
        async with transaction(self.pool) as conn:
            before = await held(conn, product_id, version=version)
            if before.is_change_pending:
                await proposals.reject(conn, actor, before, kept, is_seen=version is not None)
                product = await touched(conn, product_id)
            else:
                product = await moved(conn, actor, product_id, Action.REJECT, reasons=kept)
            rejected = ProductRejected(
                vendor_id=product.vendor.id,
                product_id=product.id,
                version=product.version,
                title=product.title,
                reasons=tuple(reasons),
                is_change=before.is_change_pending,
            )
            await self.outbox.add(conn, rejected, product.changed())
            return product

    async def suspend(self, actor: Actor, product_id: UUID, *, note: str) -> Product:
        """Take an approved product out of sight."""
        async with transaction(self.pool) as conn:
            product = await moved(conn, actor, product_id, Action.SUSPEND, note=note)
            suspended = ProductSuspended(
                vendor_id=product.vendor.id,
                product_id=product.id,
                version=product.version,
                title=product.title,
                note=note,
            )
            await self.outbox.add(conn, suspended, product.changed())
            return product

    async def reinstate(self, actor: Actor, product_id: UUID) -> Product:
        """Put a suspended product back."""
        async with transaction(self.pool) as conn:
            product = await moved(conn, actor, product_id, Action.REINSTATE)
            reinstated = ProductReinstated(
                vendor_id=product.vendor.id, product_id=product.id, version=product.version, title=product.title
            )
            await self.outbox.add(conn, reinstated, product.changed())
            return product

    async def by_status(self, status: Status, *, below: UUID | None, limit: int) -> list[Product]:
        """Everybody's products of one status, newest first."""
        async with connection(self.pool) as conn:
            return await store.by_status(conn, status, below=below, limit=limit)

    async def with_proposal(self, *, below: UUID | None, limit: int) -> list[Product]:
        """Everybody's products whose proposal waits for a decision, what was proposed last first."""
        async with connection(self.pool) as conn:
            return await store.with_proposal(conn, below=below, limit=limit)

    async def waiting(
        self, kind: str | None = None, *, behind: tuple[datetime, UUID] | None = None, limit: int
    ) -> list[Product]:
        """What waits for a decision, the longest first; of one kind, `new` or `changes`, or of both."""
        async with connection(self.pool) as conn:
            return await store.waiting(conn, kind, behind=behind, limit=limit)

    async def waiting_counts(self) -> WaitingCounts:
        """How much waits for a decision."""
        async with connection(self.pool) as conn:
            return await store.waiting_counts(conn)
