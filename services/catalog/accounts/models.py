"""Values of accounts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.web.identity import Identity, Role


@dataclass(frozen=True, slots=True)
class Account:
    """Someone who signs in, or (role `channel`) a machine, which has no address. Owners say who acts for a vendor."""

    id: UUID
    email: str | None
    name: str
    role: Role
    vendor_id: UUID | None
    version: int
    is_owner: bool = False

    @property
    def identity(self) -> Identity:
        """What routes decide by."""
        return Identity(self.id, self.role, self.vendor_id)


class Scope(StrEnum):
    """What an API key may do of what its account may."""

    FULL = "full"
    READ = "read"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. `last_used_at` is coarse: written at most every ten minutes."""

    id: UUID
    name: str
    prefix: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyProof:
    """What it takes to check a key: SHA-256 of its secret, and whom it stands for."""

    key_id: UUID
    secret_hash: bytes
    identity: Identity
    scope: Scope
    expires_at: datetime | None
    is_use_noted: bool
    is_owner: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a session was begun, as its owner may know it by."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session as its owner gets it, once: the cookie's value and the CSRF token."""

    id: UUID
    account: Account
    token: str
    csrf_token: str
    expires_at: datetime
    origin: Origin


@dataclass(frozen=True, slots=True)
class Session:
    """A session without its tokens. `last_used_at` is coarse, as a key's."""

    id: UUID
    address: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionProof:
    """What a session's token proves."""

    session_id: UUID
    identity: Identity
    csrf_token: str
    is_use_noted: bool
    is_owner: bool
    has_one_time_password: bool


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, and how: with a session (which has an id and a CSRF token) or with a key.

    With a one-time password one can only choose another.
    """

    identity: Identity
    session_id: UUID | None = None
    csrf_token: str | None = None
    is_read_only: bool = False
    is_owner: bool = False
    has_one_time_password: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """A person to write to. `version` rises whenever anything of it changes."""

    account_id: UUID
    email: str
    name: str
    version: int
