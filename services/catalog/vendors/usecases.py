"""What is done to vendors. Each change, its audit line and its event are one transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from services.catalog import audit, idempotency
from services.catalog.accounts import store as accounts
from services.catalog.accounts.models import Account
from services.catalog.accounts.passwords import Passwords
from services.catalog.addresses import parsed_id
from services.catalog.idempotency import OnceKey
from services.catalog.models import Actor, is_slug, slug_of
from services.catalog.vendors import store
from services.catalog.vendors.errors import AlreadySo, UnknownVendor
from services.catalog.vendors.models import Changes, NewVendor, Vendor, VendorStatus
from services.catalog.versions import VersionMismatch
from shared.contracts.events import AccountChanged, VendorChanged, VendorReinstated, VendorSuspended
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, transaction
from shared.ids import new_id
from shared.web.identity import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendors:
    """The vendors of the marketplace."""

    pool: Pool
    passwords: Passwords
    outbox: Outbox

    async def create(self, actor: Actor, new: NewVendor, *, once: OnceKey | None = None) -> tuple[Vendor, bool]:
        """A vendor with its first account; False beside it when `once` made it before.

        Raises `SlugTaken`, `EmailTaken`, `KeyInFlight`, `KeyReused`.
        """
        password_hash = await self.passwords.hash(new.password)
        vendor_id = new_id()
        async with transaction(self.pool) as conn:
            if (earlier := await idempotency.made_before(conn, once)) is not None:
                return _known(await store.find(conn, earlier)), False
            slug = new.slug or slug_of(new.name, otherwise=f"vendor-{vendor_id.hex[-8:]}")
            vendor = await store.add(
                conn, vendor_id, slug=slug, name=new.name, profile=new.profile, time_zone=new.time_zone
            )
            account = Account(new_id(), new.email, new.person, Role.VENDOR, vendor.id, version=1, is_owner=True)
            await accounts.add_account(conn, account, password_hash=password_hash)
            await audit.record(
                conn,
                actor,
                "vendor.created",
                kind="vendor",
                object_id=vendor.id,
                slug=slug,
                account_id=str(account.id),
            )
            made = AccountChanged(account_id=account.id, vendor_id=vendor.id, version=account.version)
            await self.outbox.add(conn, made, _told(vendor))
            await idempotency.keep(conn, once, vendor.id)
        return vendor, True

    async def change(self, actor: Actor, vendor_id: UUID, changes: Changes, *, expected_version: int) -> Vendor:
        """Change name, slug, profile or time zone. Raises `UnknownVendor`, `VersionMismatch`, `SlugTaken`."""
        async with transaction(self.pool) as conn:
            vendor = await store.change(conn, vendor_id, changes, expected_version=expected_version)
            if vendor is None:
                _known(await store.find(conn, vendor_id))
                raise VersionMismatch("The vendor was changed in between.")
            fields = sorted(name for name, value in asdict(changes).items() if value is not None)
            await audit.record(conn, actor, "vendor.changed", kind="vendor", object_id=vendor_id, fields=fields)
            await self.outbox.add(conn, _told(vendor))
        return vendor

    async def suspend(self, actor: Actor, vendor_id: UUID, *, note: str) -> Vendor:
        """Take a vendor out of the marketplace. Of two who decide at once one wins, the other gets `AlreadySo`."""
        return await self._set_status(actor, vendor_id, VendorStatus.SUSPENDED, "vendor.suspended", note)

    async def reinstate(self, actor: Actor, vendor_id: UUID, *, note: str) -> Vendor:
        """Let a suspended vendor sell again. Raises `UnknownVendor`, `AlreadySo`."""
        return await self._set_status(actor, vendor_id, VendorStatus.ACTIVE, "vendor.reinstated", note)

    async def read(self, vendor_id: UUID) -> Vendor:
        """A vendor as administrators see it. Raises `UnknownVendor`."""
        async with connection(self.pool) as conn:
            return _known(await store.find(conn, vendor_id))

    async def read_shown(self, id_or_slug: str) -> Vendor:
        """A vendor as everybody sees it: not at all while suspended. Raises `UnknownVendor`."""
        vendor_id = parsed_id(id_or_slug)
        if vendor_id is None and not is_slug(id_or_slug):
            raise UnknownVendor.any()
        async with connection(self.pool) as conn:
            if vendor_id is None:
                vendor = _known(await store.find_by_slug(conn, id_or_slug))
            else:
                vendor = _known(await store.find(conn, vendor_id))
        return _known(vendor if vendor.status is VendorStatus.ACTIVE else None)

    async def newest(self, *, below: UUID, limit: int, status: VendorStatus | None) -> Sequence[Vendor]:
        """Vendors, newest first."""
        async with connection(self.pool) as conn:
            return await store.newest(conn, below=below, limit=limit, status=status)

    async def _set_status(self, actor: Actor, vendor_id: UUID, status: VendorStatus, action: str, note: str) -> Vendor:
        async with transaction(self.pool) as conn:
            vendor = await store.set_status(conn, vendor_id, status)
            if vendor is None:
                _known(await store.find(conn, vendor_id))
                raise AlreadySo(f"The vendor is {status} already.")
            await audit.record(conn, actor, action, kind="vendor", object_id=vendor_id, note=note)
            event = VendorSuspended if status is VendorStatus.SUSPENDED else VendorReinstated
            await self.outbox.add(conn, event(vendor_id=vendor_id, version=vendor.version))
        return vendor


def _known(vendor: Vendor | None) -> Vendor:
    if vendor is None:
        raise UnknownVendor.any()
    return vendor


def _told(vendor: Vendor) -> VendorChanged:
    """What a vendor is like from now on."""
    return VendorChanged(vendor_id=vendor.id, version=vendor.version, name=vendor.name, time_zone=vendor.time_zone)
