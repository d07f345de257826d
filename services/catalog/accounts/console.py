"""Accounts made at the console, with the database's own rights: for the first administrator there is no API yet.

Whoever may sign in to the database as the catalog may do this; it is recorded in the audit log as Souk's own deed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.catalog import audit
from services.catalog.accounts import store
from services.catalog.accounts.keys import KeyText, new_key
from services.catalog.accounts.models import Account, Scope
from services.catalog.accounts.passwords import Passwords
from services.catalog.models import Actor
from services.catalog.vendors import store as vendors
from shared.contracts.events import AccountChanged
from shared.db.outbox import Outbox
from shared.db.pool import Pool, transaction
from shared.errors import NotFound
from shared.ids import new_id
from shared.web.identity import Role

FIND_BY_EMAIL_OR_ID: Final = """
    -- The active account of an address, or of an id written out.
    SELECT id FROM catalog.accounts WHERE (lower(email) = lower($1) OR id::text = $1) AND status = 'active'
"""
SOUK: Final = Actor(None, Role.SERVICE)


class NoSuchAccount(NotFound):
    """No active account has this address or id."""

    code = "no_such_account"


class NoSuchVendor(NotFound):
    """No vendor has this slug."""

    code = "no_such_vendor"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """Who it is for. A vendor's has the vendor's slug and is an owner's, a channel's neither address nor password."""

    role: Role
    name: str
    email: str | None = None
    password: str | None = None
    vendor_slug: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Account, audit line and event are one transaction."""

    pool: Pool
    passwords: Passwords

    async def add_account(self, new: NewAccount) -> Account:
        """An account at version 1. Raises `EmailTaken`, `NoSuchVendor`."""
        password_hash = None if new.password is None else await self.passwords.hash(new.password)
        async with transaction(self.pool) as conn:
            vendor_id = None
            if new.vendor_slug is not None:
                vendor = await vendors.find_by_slug(conn, new.vendor_slug)
                if vendor is None:
                    raise NoSuchVendor(f"No vendor has the slug {new.vendor_slug}.")
                vendor_id = vendor.id
            is_owner = new.role is Role.VENDOR
            account = Account(new_id(), new.email, new.name, new.role, vendor_id, version=1, is_owner=is_owner)
            await store.add_account(conn, account, password_hash=password_hash)
            await audit.record(
                conn, SOUK, "account.created", kind="account", object_id=account.id, account_role=new.role.value
            )
            made = AccountChanged(account_id=account.id, vendor_id=vendor_id, version=1)
            await Outbox("catalog").add(conn, made)
        return account

    async def add_key(
        self, whose: str, *, name: str, scope: Scope, expires_at: datetime | None = None
    ) -> tuple[UUID, KeyText]:
        """A key of the account with this address or id, told this once. Raises `NoSuchAccount`."""
        text = new_key()
        async with transaction(self.pool) as conn:
            account_id: UUID | None = await conn.fetchval(FIND_BY_EMAIL_OR_ID, whose)
            if account_id is None:
                raise NoSuchAccount(f"No active account has the address or id {whose}.")
            key = await store.add_key(
                conn,
                new_id(),
                account_id,
                name=name,
                prefix=text.prefix,
                secret_hash=text.secret_hash,
                scope=scope,
                expires_at=expires_at,
            )
            await audit.record(
                conn, SOUK, "api_key.created", kind="api_key", object_id=key.id, prefix=key.prefix, scope=scope.value
            )
        return key.id, text
