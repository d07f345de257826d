"""What accounts do: tell who calls, hand out and revoke API keys, change oneself. Sessions have a page of their own."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.catalog import audit, idempotency
from services.catalog.accounts import sessions_store, store
from services.catalog.accounts.attempts import Attempt
from services.catalog.accounts.errors import UnknownKey
from services.catalog.accounts.keys import KeyText, hash_of, new_key, parse_key
from services.catalog.accounts.models import Account, ApiKey, Caller, Contact, KeyProof, Scope
from services.catalog.accounts.passwords import Passwords
from services.catalog.errors import InvalidCredentials
from services.catalog.idempotency import OnceKey
from services.catalog.models import Actor
from services.catalog.versions import VersionMismatch
from shared.clock import Clock
from shared.contracts.events import AccountChanged
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, transaction
from shared.errors import FieldError, InvalidInput
from shared.ids import new_id

KEY_CACHE: Final = timedelta(seconds=2)
MAX_CACHED_KEYS: Final = 4096
_NO_HASH: Final = bytes(32)


@dataclass(slots=True, kw_only=True)
class Callers:
    """Tells who makes a request.

    A key that was found is believed for two seconds before the database is asked again: a key revoked at another
    replica, or whose account was disabled, works that long. Revoked at this one, it stops at once.
    """

    pool: Pool
    clock: Clock
    _known: dict[str, tuple[KeyProof, datetime]] = field(default_factory=dict)

    async def by_api_key(self, authorization: str) -> Caller:
        """The caller behind an `Authorization` header. Raises `InvalidCredentials`."""
        key = parse_key(authorization)
        proof = None if key is None else await self._proof(key.prefix)
        stored = _NO_HASH if proof is None else proof.secret_hash
        is_right = key is not None and hmac.compare_digest(stored, key.secret_hash)
        if proof is None or not is_right or (proof.expires_at is not None and proof.expires_at <= self.clock()):
            raise InvalidCredentials("The API key is not valid.")
        return Caller(proof.identity, is_read_only=proof.scope is Scope.READ, is_owner=proof.is_owner)

    async def by_session(self, token: str) -> Caller:
        """The caller behind a session cookie. Raises `InvalidCredentials`."""
        async with connection(self.pool) as conn:
            proof = await sessions_store.find(conn, hash_of(token))
            if proof is not None and not proof.is_use_noted:
                await sessions_store.note_use(conn, proof.session_id)
        if proof is None:
            raise InvalidCredentials("The session is over; sign in again.")
        return Caller(
            proof.identity,
            session_id=proof.session_id,
            csrf_token=proof.csrf_token,
            is_owner=proof.is_owner,
            has_one_time_password=proof.has_one_time_password,
        )

    def forget_key(self, prefix: str) -> None:
        """The key was revoked here."""
        self._known.pop(prefix, None)

    async def _proof(self, prefix: str) -> KeyProof | None:
        now = self.clock()
        known = self._known.get(prefix)
        if known is not None and known[1] > now:
            return known[0]
        async with connection(self.pool) as conn:
            proof = await store.find_key(conn, prefix)
            if proof is not None and not proof.is_use_noted:
                await store.note_key_use(conn, proof.key_id)
        if proof is None:
            self._known.pop(prefix, None)
            return None
        if len(self._known) >= MAX_CACHED_KEYS:
            self._known.clear()
        self._known[prefix] = proof, now + KEY_CACHE
        return proof


@dataclass(frozen=True, slots=True)
class Changes:
    """What one may change of oneself; None stays as it is."""

    name: str | None = None
    email: str | None = None
    new_password: str | None = None
    current_password: str | None = None

    @property
    def needs_password(self) -> bool:
        """Address and password are how one signs in: a stolen session may not change them."""
        return self.email is not None or self.new_password is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """An account as its owner sees it, and as the notifier needs it."""

    pool: Pool
    passwords: Passwords
    outbox: Outbox

    async def read(self, account_id: UUID) -> Account:
        """One's own account. Raises `InvalidCredentials` when it was disabled a moment ago."""
        async with connection(self.pool) as conn:
            account = await store.find_account(conn, account_id)
        return _still_there(account)

    async def change(
        self, actor: Actor, changes: Changes, *, expected_version: int, session_id: UUID | None, attempt: Attempt
    ) -> Account:
        """Change oneself; a new password ends all sessions but the one it is asked with, `session_id`.

        Account, audit and `account.changed` are one transaction. Raises `VersionMismatch`, `EmailTaken`, and, when
        the current password is needed and not right, `InvalidInput`, or after too many of them `SignInSlowed`.
        """
        assert actor.account_id is not None
        if changes.needs_password:
            await self._require_password(actor.account_id, changes.current_password, attempt)
        password_hash = None if changes.new_password is None else await self.passwords.hash(changes.new_password)
        async with transaction(self.pool) as conn:
            account = await store.change_account(
                conn,
                actor.account_id,
                expected_version=expected_version,
                name=changes.name,
                email=changes.email,
                password_hash=password_hash,
            )
            if account is None:
                raise VersionMismatch("The account was changed in between.")
            if password_hash is not None:
                await sessions_store.revoke_all(conn, account.id, but=session_id)
            await audit.record(
                conn,
                actor,
                "account.changed",
                kind="account",
                object_id=account.id,
                fields=sorted(name for name in ("name", "email", "new_password") if getattr(changes, name) is not None),
            )
            changed = AccountChanged(account_id=account.id, vendor_id=account.vendor_id, version=account.version)
            await self.outbox.add(conn, changed)
        return account

    async def admins(self) -> Sequence[Contact]:
        """The people to write to about the marketplace."""
        async with connection(self.pool) as conn:
            return await store.admin_contacts(conn)

    async def of_vendor(self, vendor_id: UUID) -> Sequence[Contact]:
        """The people of a vendor."""
        async with connection(self.pool) as conn:
            return await store.vendor_contacts(conn, vendor_id)

    async def _require_password(self, account_id: UUID, password: str | None, attempt: Attempt) -> None:
        if password is None:
            raise _wrong_password()
        async with transaction(self.pool) as conn:
            await attempt.count(conn)
            stored = await store.find_password(conn, account_id)
        if not await self.passwords.matches(stored, password):
            raise _wrong_password()
        async with transaction(self.pool) as conn:
            await attempt.was_right(conn)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeys:
    """Keys with which machines act as an account."""

    pool: Pool
    callers: Callers
    clock: Clock

    async def create(
        self, actor: Actor, *, name: str, scope: Scope, expires_at: datetime | None, once: OnceKey | None = None
    ) -> tuple[ApiKey, KeyText | None]:
        """A new key and its text, which is told this once and cannot be read again: None when `once` made it before.

        Raises `InvalidInput`, `KeyInFlight`, `KeyReused`.
        """
        assert actor.account_id is not None
        if expires_at is not None and expires_at <= self.clock():
            past = FieldError("/expires_at", "in_the_past", "a time to come, or none")
            raise InvalidInput("The key would be expired at once.", errors=[past])
        text = new_key()
        async with transaction(self.pool) as conn:
            if (earlier := await idempotency.made_before(conn, once)) is not None:
                return _own(await store.find_own_key(conn, earlier, account_id=actor.account_id)), None
            key = await store.add_key(
                conn,
                new_id(),
                actor.account_id,
                name=name,
                prefix=text.prefix,
                secret_hash=text.secret_hash,
                scope=scope,
                expires_at=expires_at,
            )
            await audit.record(
                conn, actor, "api_key.created", kind="api_key", object_id=key.id, prefix=key.prefix, scope=scope.value
            )
            await idempotency.keep(conn, once, key.id)
        return key, text

    async def list(self, account_id: UUID, *, below: UUID, limit: int) -> Sequence[ApiKey]:
        """The account's keys that are not revoked, newest first."""
        async with connection(self.pool) as conn:
            return await store.list_keys(conn, account_id, below=below, limit=limit)

    async def revoke(self, actor: Actor, key_id: UUID) -> None:
        """Revoke one of one's own keys. Raises `UnknownKey`."""
        assert actor.account_id is not None
        async with transaction(self.pool) as conn:
            prefix = await store.revoke_key(conn, key_id, account_id=actor.account_id)
            if prefix is None:
                raise UnknownKey("You have no such API key.")
            await audit.record(conn, actor, "api_key.revoked", kind="api_key", object_id=key_id, prefix=prefix)
        self.callers.forget_key(prefix)


def _wrong_password() -> InvalidInput:
    wrong = FieldError("/current_password", "wrong_password", "your password as it is now")
    return InvalidInput("This needs your current password.", errors=[wrong])


def _still_there(account: Account | None) -> Account:
    if account is None:
        raise InvalidCredentials("The account is disabled.")
    return account


def _own(key: ApiKey | None) -> ApiKey:
    if key is None:
        raise UnknownKey("You have no such API key.")
    return key
