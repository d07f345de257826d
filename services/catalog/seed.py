"""The first accounts of an installation: an administrator, an operator, a channel, three vendors with a shop each.

Straight to the database, in the catalog's own role: there is nobody yet who could ask over HTTP.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from argon2 import PasswordHasher

from services.catalog.accounts import store as accounts
from services.catalog.accounts.keys import KeyText
from services.catalog.accounts.models import Account, Scope
from services.catalog.accounts.passwords import Passwords, open_passwords
from services.catalog.errors import SlugTaken
from services.catalog.models import slug_of
from services.catalog.vendors import store as vendors
from shared.contracts.events import AccountChanged
from shared.db.outbox import Outbox
from shared.db.pool import Connection, open_pool, transaction
from shared.ids import new_id
from shared.web.identity import Role

SecretOf = Callable[[str], str]
"""Gives the secret kept under a name, always the same one, made up the first time."""

SHOPS: Final = (
    ("Atelier North", "Ceramics and textiles made in small series."),
    ("Brass & Birch", "Lamps and furniture of wood and metal."),
    ("Papermill Lane", "Notebooks, prints and cards."),
)

LOCK: Final = """
    -- One seeding at a time.
    SELECT pg_advisory_xact_lock(hashtext('souk seed'))
"""
FIND_ACCOUNT: Final = """
    -- The account seeded under a mail address, and its password.
    SELECT id, vendor_id, password_hash FROM catalog.accounts WHERE lower(email) = lower($1) ORDER BY status LIMIT 1
"""
FIND_CHANNEL: Final = """
    -- The seeded channel.
    SELECT id FROM catalog.accounts WHERE role = 'channel' AND name = $1 ORDER BY id LIMIT 1
"""
RESET: Final = """
    -- The kept password is another one than ours: make it that.
    UPDATE catalog.accounts SET password_hash = $2, updated_at = now() WHERE id = $1
"""
SET_KEY: Final = """
    -- The kept key is the one that holds.
    INSERT INTO catalog.api_keys (id, account_id, name, prefix, secret_hash, scope) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (prefix) DO UPDATE
    SET account_id = excluded.account_id, secret_hash = excluded.secret_hash, revoked_at = NULL, expires_at = NULL
"""


@dataclass(frozen=True, slots=True)
class SeededAccount:
    """Someone who can sign in."""

    email: str
    password: str
    api_key: str


@dataclass(frozen=True, slots=True)
class SeededVendor(SeededAccount):
    """A vendor's account and its shop."""

    vendor_id: UUID


@dataclass(frozen=True, slots=True)
class SeededAccounts:
    """Everybody a fresh installation knows."""

    admin: SeededAccount
    ops: SeededAccount
    channel_api_key: str
    vendors: tuple[SeededVendor, ...]


async def seed_accounts(
    database_url: str, *, secret_of: SecretOf, hasher: PasswordHasher | None = None
) -> SeededAccounts:
    """Make them, or find them made; what `secret_of` gives is what holds afterwards.

    One transaction, safe to run twice and from two places at once. Names asked for: `admin-password`, `admin-key`,
    `ops-…`, `vendor1-…` to `vendor3-…`, `channel-key`; secrets are URL-safe text of 20 to 100 characters.
    """
    async with (
        open_pool(database_url, name="seed", max_size=1) as pool,
        open_passwords(hasher) as passwords,
        transaction(pool) as conn,
    ):
        await conn.execute(LOCK)
        seeding = _Seeding(conn, passwords, secret_of)
        admin = await seeding.person("admin", "Administrator", Role.ADMIN)
        ops = await seeding.person("ops", "Operator", Role.OPS)
        channel_api_key = await seeding.channel("Web shop")
        shops = [await seeding.vendor(number, *shop) for number, shop in enumerate(SHOPS, start=1)]
        return SeededAccounts(admin, ops, channel_api_key, tuple(shops))


@dataclass(frozen=True, slots=True)
class _Seeding:
    conn: Connection
    passwords: Passwords
    secret_of: SecretOf

    async def person(self, name: str, shown: str, role: Role) -> SeededAccount:
        account_id = await self._account(name, shown, role, None)
        return SeededAccount(_email(name), self.secret_of(f"{name}-password"), await self._key(name, account_id))

    async def vendor(self, number: int, shop: str, profile: str) -> SeededVendor:
        name = f"vendor{number}"
        known = await self.conn.fetchrow(FIND_ACCOUNT, _email(name))
        vendor_id = known["vendor_id"] if known else (await self._shop(shop, profile))
        account_id = await self._account(name, shop, Role.VENDOR, vendor_id)
        key = await self._key(name, account_id)
        return SeededVendor(_email(name), self.secret_of(f"{name}-password"), key, vendor_id)

    async def channel(self, name: str) -> str:
        account_id = await self.conn.fetchval(FIND_CHANNEL, name)
        if account_id is None:
            account = Account(new_id(), None, name, Role.CHANNEL, None, version=1)
            await accounts.add_account(self.conn, account, password_hash=None)
            account_id = account.id
        return await self._key("channel", account_id)

    async def _shop(self, name: str, profile: str) -> UUID:
        slug = slug_of(name, otherwise="shop")
        known = await vendors.find_by_slug(self.conn, slug)
        if known is not None:
            raise SlugTaken(f"The slug {slug} belongs to a vendor that was not seeded.")
        return (await vendors.add(self.conn, new_id(), slug=slug, name=name, profile=profile)).id

    async def _account(self, name: str, shown: str, role: Role, vendor_id: UUID | None) -> UUID:
        """The account of this name, with the kept password."""
        password = self.secret_of(f"{name}-password")
        known = await self.conn.fetchrow(FIND_ACCOUNT, _email(name))
        if known is None:
            account = Account(new_id(), _email(name), shown, role, vendor_id, version=1, is_owner=role is Role.VENDOR)
            await accounts.add_account(self.conn, account, password_hash=await self.passwords.hash(password))
            made = AccountChanged(account_id=account.id, vendor_id=vendor_id, version=account.version)
            await Outbox("catalog").add(self.conn, made)
            return account.id
        account_id: UUID = known["id"]
        if not await self.passwords.matches(known["password_hash"], password):
            await self.conn.execute(RESET, account_id, await self.passwords.hash(password))
        return account_id

    async def _key(self, name: str, account_id: UUID) -> str:
        text = KeyText(name, self.secret_of(f"{name}-key"))
        await self.conn.execute(SET_KEY, new_id(), account_id, "seeded", text.prefix, text.secret_hash, Scope.FULL)
        return str(text)


def _email(name: str) -> str:
    return f"{name}@example.com"
