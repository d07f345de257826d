"""The people who act for a vendor. Its owners let them in and out.

Each change is one transaction with its audit line and its event.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.catalog import audit, idempotency
from services.catalog.accounts import sessions_store
from services.catalog.accounts import store as accounts
from services.catalog.accounts.models import Account
from services.catalog.accounts.passwords import Passwords
from services.catalog.accounts.usecases import Callers
from services.catalog.idempotency import OnceKey
from services.catalog.models import Actor
from services.catalog.vendors import members_store as store
from services.catalog.vendors.errors import LastOwner, TooManyMembers, UnknownMember
from services.catalog.vendors.models import Member
from services.catalog.versions import VersionMismatch
from shared.clock import Clock
from shared.contracts.events import AccountChanged
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection, transaction
from shared.ids import new_id
from shared.web.identity import Role

MAX_MEMBERS: Final = 50
ONE_TIME_DAYS: Final = 7
_PASSWORD_BYTES: Final = 15


@dataclass(frozen=True, slots=True)
class NewMember:
    """Someone to be let in."""

    email: str
    name: str
    is_owner: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Everything happens within the actor's own vendor: there is no other one's member."""

    pool: Pool
    passwords: Passwords
    callers: Callers
    outbox: Outbox
    clock: Clock

    async def everybody(self, vendor_id: UUID) -> Sequence[Member]:
        """All of them, at most fifty, the longest there first."""
        async with connection(self.pool) as conn:
            return await store.everybody(conn, vendor_id)

    async def add(self, actor: Actor, new: NewMember, *, once: OnceKey | None = None) -> tuple[Member, str | None]:
        """Let someone in; with the one-time password to hand them, None when `once` let them in before.

        Raises `EmailTaken`, `TooManyMembers`, `KeyInFlight`, `KeyReused`.
        """
        vendor_id = _vendor_of(actor)
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        password_hash = await self.passwords.hash(password)
        async with transaction(self.pool) as conn:
            if (earlier := await idempotency.made_before(conn, once)) is not None:
                return _known(await store.find(conn, vendor_id, earlier)), None
            await store.hold(conn, vendor_id)
            if len(await store.everybody(conn, vendor_id)) >= MAX_MEMBERS:
                raise TooManyMembers(f"A vendor has at most {MAX_MEMBERS} members.")
            account = Account(new_id(), new.email, new.name, Role.VENDOR, vendor_id, version=1, is_owner=new.is_owner)
            await accounts.add_account(
                conn, account, password_hash=password_hash, one_time_until=self.clock() + timedelta(days=ONE_TIME_DAYS)
            )
            member = _known(await store.find(conn, vendor_id, account.id))
            await self._record(conn, actor, member, "member.added", is_owner=member.is_owner)
            await idempotency.keep(conn, once, member.id)
        return member, password

    async def change(self, actor: Actor, member_id: UUID, *, is_owner: bool, expected_version: int) -> Member:
        """Make a member an owner, or an owner a member. Raises `UnknownMember`, `VersionMismatch`, `LastOwner`."""
        vendor_id = _vendor_of(actor)
        async with transaction(self.pool) as conn:
            await store.hold(conn, vendor_id)
            member = await store.change(
                conn, vendor_id, member_id, is_owner=is_owner, expected_version=expected_version
            )
            if member is None:
                _known(await store.find(conn, vendor_id, member_id))
                raise VersionMismatch("The member was changed in between.")
            await _require_owner(conn, vendor_id)
            await self._record(conn, actor, member, "member.changed", is_owner=is_owner)
        return member

    async def renew_password(self, actor: Actor, member_id: UUID) -> tuple[Member, str]:
        """Another one-time password for who lost theirs; ends their sessions. Raises `UnknownMember`."""
        vendor_id = _vendor_of(actor)
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        password_hash = await self.passwords.hash(password)
        until = self.clock() + timedelta(days=ONE_TIME_DAYS)
        async with transaction(self.pool) as conn:
            member = _known(
                await store.set_one_time_password(conn, vendor_id, member_id, password_hash=password_hash, until=until)
            )
            await sessions_store.revoke_all(conn, member_id)
            await self._record(conn, actor, member, "member.password_renewed")
        return member, password

    async def remove(self, actor: Actor, member_id: UUID) -> None:
        """Let someone out: their sessions and API keys end with it. Raises `UnknownMember`, `LastOwner`."""
        vendor_id = _vendor_of(actor)
        async with transaction(self.pool) as conn:
            await store.hold(conn, vendor_id)
            member = _known(await store.remove(conn, vendor_id, member_id))
            await _require_owner(conn, vendor_id)
            await sessions_store.revoke_all(conn, member_id)
            revoked = await accounts.revoke_keys(conn, member_id)
            await self._record(conn, actor, member, "member.removed")
        for prefix in revoked:
            self.callers.forget_key(prefix)

    async def _record(self, conn: Connection, actor: Actor, member: Member, action: str, **detail: bool) -> None:
        await audit.record(conn, actor, action, kind="account", object_id=member.id, **detail)
        changed = AccountChanged(account_id=member.id, vendor_id=actor.vendor_id, version=member.version)
        await self.outbox.add(conn, changed)


async def _require_owner(conn: Connection, vendor_id: UUID) -> None:
    if not await store.has_owner(conn, vendor_id):
        raise LastOwner("The vendor would have no owner; make someone else one first.")


def _vendor_of(actor: Actor) -> UUID:
    assert actor.vendor_id is not None, "the access table lets only vendors in here"
    return actor.vendor_id


def _known(member: Member | None) -> Member:
    if member is None:
        raise UnknownMember("You have no such member.")
    return member
