"""What vendors do with their stock sources."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

import orjson

from services.catalog import audit
from services.catalog.idempotency import OnceKey, keep, made_before
from services.catalog.models import Actor
from services.catalog.sync import runs_store, store
from services.catalog.sync.errors import RunInHand, RunNotFound, SourceDisabled, SourceNotFound, WrongKind
from services.catalog.sync.models import Cause, Format, Layout, Run, Source, SourceKind
from services.catalog.sync.vault import Vault
from services.catalog.versions import VersionMismatch
from shared.contracts.events import SyncRequested
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection, transaction
from shared.errors import Conflict, FieldError, InvalidInput
from shared.ids import new_id

SECRET_BYTES: Final = 32


class TooManySources(Conflict):
    """A vendor has a bounded number of sources; delete one first."""

    code = "too_many_sources"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The header that lets us in at a source, e.g. `Authorization: Bearer …`."""

    header: str
    value: str = field(repr=False)

    def plain(self) -> bytes:
        """As it is sealed."""
        return orjson.dumps({"header": self.header, "value": self.value})


@dataclass(frozen=True, slots=True)
class NewSource:
    """A source to be."""

    name: str
    kind: SourceKind
    format: Format
    layout: Layout
    url: str | None
    credentials: Credentials | None
    interval_seconds: int | None
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class Made:
    """A source with, once, the secret its pushes are signed with; None later, or for a pull."""

    source: Source
    secret: str | None
    is_new: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """A vendor's stock sources, their runs, and what they call products."""

    pool: Pool
    outbox: Outbox
    vault: Vault

    async def create(self, actor: Actor, new: NewSource, *, once: OnceKey | None = None) -> Made:
        """Keep a source; a pull with an interval is first run at once. Raises `NameTaken`, `TooManySources`."""
        async with transaction(self.pool) as conn:
            if (known := await made_before(conn, once)) is not None:
                return Made(await _own(conn, actor, known), None, is_new=False)
            assert actor.vendor_id is not None, "the access table lets only vendors in here"
            if await store.count(conn, actor.vendor_id) >= store.MAX_SOURCES:
                raise TooManySources(f"A vendor has at most {store.MAX_SOURCES} stock sources.")
            source_id = new_id()
            secret, sealed = self._sealed(source_id, new)
            source = await store.insert(
                conn,
                {
                    "id": source_id,
                    "vendor_id": actor.vendor_id,
                    "name": new.name,
                    "kind": new.kind.value,
                    "format": new.format.value,
                    "layout": new.layout,
                    "url": new.url,
                    "sealed": sealed,
                    "interval_seconds": new.interval_seconds,
                    "is_enabled": new.is_enabled,
                },
            )
            await _audited(conn, actor, "created", source)
            await keep(conn, once, source_id)
            return Made(source, secret)

    def _sealed(self, source_id: UUID, new: NewSource) -> tuple[str | None, bytes | None]:
        if new.kind is SourceKind.PUSH:
            secret = secrets.token_urlsafe(SECRET_BYTES)
            return secret, self.vault.seal(secret.encode(), source_id=source_id)
        credentials = new.credentials
        return None, None if credentials is None else self.vault.seal(credentials.plain(), source_id=source_id)

    async def of_vendor(self, vendor_id: UUID, *, below: UUID | None, limit: int) -> list[Source]:
        """A vendor's sources, newest first."""
        async with connection(self.pool) as conn:
            return await store.of_vendor(conn, vendor_id, below=below, limit=limit)

    async def one(self, actor: Actor, source_id: UUID) -> Source:
        """A source. Raises `SourceNotFound`."""
        async with connection(self.pool) as conn:
            return await _own(conn, actor, source_id)

    async def change(self, actor: Actor, source_id: UUID, given: Mapping[str, Any], *, version: int) -> Source:
        """Change what is given if the source is still at `version`; it starts anew, and is due at once.

        `credentials` null removes them. Raises `SourceNotFound`, `VersionMismatch`, `NameTaken`, `WrongKind`,
        `InvalidInput` for another meaning of versions: those applied before could not be compared with.
        """
        async with transaction(self.pool) as conn:
            source = await _held(conn, actor, source_id)
            if source.version != version:
                raise VersionMismatch(f"The source is at version {source.version} by now.")
            changes = {name: value for name, value in given.items() if name != "credentials"}
            if source.kind is SourceKind.PUSH and set(given) & {"url", "credentials", "interval_seconds"}:
                raise WrongKind("A push has no address, credentials or interval.")
            layout = changes.get("layout", source.layout)
            if layout.version != source.layout.version:
                wrong = FieldError("/layout/version", "fixed", "make another source for other versions")
                raise InvalidInput("What a source's versions are cannot change.", errors=[wrong])
            if "credentials" in given:
                credentials: Credentials | None = given["credentials"]
                changes["sealed"] = (
                    None if credentials is None else self.vault.seal(credentials.plain(), source_id=source_id)
                )
            changed = await store.change(conn, replace(source, **changes))
            await _audited(conn, actor, "changed", changed, fields=sorted(given))
            return changed

    async def renew_secret(self, actor: Actor, source_id: UUID) -> Made:
        """Make another secret for a push; the one before is worth nothing at once."""
        async with transaction(self.pool) as conn:
            source = await _held(conn, actor, source_id)
            if source.kind is not SourceKind.PUSH:
                raise WrongKind("A pull has no secret; its credentials are changed with it.")
            secret = secrets.token_urlsafe(SECRET_BYTES)
            sealed = self.vault.seal(secret.encode(), source_id=source_id)
            changed = await store.change(conn, replace(source, sealed=sealed))
            await _audited(conn, actor, "secret_renewed", changed)
            return Made(changed, secret)

    async def delete(self, actor: Actor, source_id: UUID) -> None:
        """Remove a source with its runs; a job of it finds it gone. Raises `SourceNotFound`."""
        async with transaction(self.pool) as conn:
            source = await _held(conn, actor, source_id)
            await store.delete(conn, source_id)
            await _audited(conn, actor, "deleted", source)

    async def run(self, actor: Actor, source_id: UUID) -> Run:
        """Pull now, whatever the interval. Raises `SourceNotFound`, `WrongKind`, `SourceDisabled`, `RunInHand`."""
        async with transaction(self.pool) as conn:
            source = await _own(conn, actor, source_id)
            if source.kind is not SourceKind.PULL:
                raise WrongKind("A push comes by itself; there is nothing to fetch.")
            if not source.is_enabled:
                raise SourceDisabled
            run = await runs_store.insert(conn, new_id(), source_id, Cause.HAND)
            if run is None:
                raise RunInHand
            asked = SyncRequested(vendor_id=source.vendor_id, source_id=source_id, run_id=run.id)
            await self.outbox.add(conn, asked)
            return run

    async def runs(self, actor: Actor, source_id: UUID, *, below: UUID | None, limit: int) -> list[Run]:
        """A source's runs, newest first. Raises `SourceNotFound`."""
        async with connection(self.pool) as conn:
            await _own(conn, actor, source_id)
            return await runs_store.of_source(conn, source_id, below=below, limit=limit)

    async def one_run(self, actor: Actor, source_id: UUID, run_id: UUID) -> Run:
        """One run. Raises `SourceNotFound`, `RunNotFound`."""
        async with connection(self.pool) as conn:
            await _own(conn, actor, source_id)
            run = await runs_store.one(conn, source_id, run_id)
        if run is None:
            raise RunNotFound
        return run

    async def skus(
        self, actor: Actor, source_id: UUID, *, behind: str | None, limit: int
    ) -> list[tuple[str, UUID, str]]:
        """What the source calls products: external SKU, product, its own SKU. Raises `SourceNotFound`."""
        async with connection(self.pool) as conn:
            await _own(conn, actor, source_id)
            return await store.skus(conn, source_id, behind=behind, limit=limit)

    async def name_skus(self, actor: Actor, source_id: UUID, names: Sequence[tuple[str, str | None]]) -> None:
        """Say which product each external SKU means, by the product's own SKU; None forgets it. All or nothing.

        The next document is wanted whole. Raises `SourceNotFound`, `InvalidInput` pointing at SKUs that are not
        the vendor's.
        """
        async with transaction(self.pool) as conn:
            source = await _held(conn, actor, source_id)
            own = await store.own_skus(conn, source.vendor_id, [sku for _, sku in names if sku is not None])
            wrong = [
                FieldError(f"/items/{index}/sku", "unknown_product", sku)
                for index, (_, sku) in enumerate(names)
                if sku is not None and sku not in own
            ]
            if wrong:
                raise InvalidInput("Some products are not yours.", errors=wrong)
            await store.set_skus(conn, source_id, {external: own[sku] for external, sku in names if sku is not None})
            await store.drop_skus(conn, source_id, [external for external, sku in names if sku is None])
            await store.forget_etag(conn, source_id)


async def _own(conn: Connection, actor: Actor, source_id: UUID) -> Source:
    return _checked(actor, await store.one(conn, source_id))


async def _held(conn: Connection, actor: Actor, source_id: UUID) -> Source:
    return _checked(actor, await store.hold(conn, source_id))


def _checked(actor: Actor, source: Source | None) -> Source:
    """Another vendor's source is none."""
    if source is None or source.vendor_id != actor.vendor_id:
        raise SourceNotFound
    return source


async def _audited(conn: Connection, actor: Actor, what: str, source: Source, **detail: Any) -> None:
    await audit.record(
        conn, actor, f"sync_source.{what}", kind="sync_source", object_id=source.id, name=source.name, **detail
    )
