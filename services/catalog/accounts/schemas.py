"""Bodies and answers of accounts."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import EmailStr, StringConstraints, model_validator
from typing_extensions import TypedDict

from services.catalog.accounts.models import Account, ApiKey, Scope, Session
from shared.web.bodies import ONE_LINE, Body, Moment, Query
from shared.web.identity import Role

Email = Annotated[EmailStr, StringConstraints(max_length=254)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), ONE_LINE]
NewPassword = Annotated[str, StringConstraints(min_length=12, max_length=500)]
GivenPassword = Annotated[str, StringConstraints(max_length=500)]


class Login(Body):
    """POST /api/auth/login. Any address is taken, so that an odd one gets the same answer as an unknown one."""

    email: Annotated[str, StringConstraints(max_length=320)]
    password: GivenPassword


class ProfileChange(Body):
    """PATCH /api/me."""

    name: Name | None = None
    email: Email | None = None
    new_password: NewPassword | None = None
    current_password: GivenPassword | None = None


class NewApiKey(Body):
    """POST /api/api-keys."""

    name: Name
    scope: Literal["full", "read"] = "full"
    expires_at: Moment | None = None


class ContactsQuery(Query):
    """GET /internal/contacts: one of the two."""

    audience: Literal["admins"] | None = None
    vendor_id: UUID | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "ContactsQuery":
        if (self.audience is None) == (self.vendor_id is None):
            raise ValueError("give either audience=admins or vendor_id")
        return self


class AccountShown(TypedDict):
    """An account as its owner sees it. `is_owner`: it says who acts for its vendor."""

    id: UUID
    email: str | None
    name: str
    role: Role
    vendor_id: UUID | None
    is_owner: bool
    version: int


class OwnAccount(AccountShown):
    """Who asks. `csrf_token` is the session's; null for an API key, which needs none."""

    csrf_token: str | None


class SignedIn(TypedDict):
    """Who has signed in, and the token that their pages send in `X-CSRF-Token`."""

    account: AccountShown
    csrf_token: str


class ApiKeyShown(TypedDict):
    """A key without its secret; `prefix` tells it from others."""

    id: UUID
    name: str
    prefix: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class NewApiKeyShown(ApiKeyShown):
    """A key with all of its text in `api_key`, told this once; null in a replay."""

    api_key: str | None


def shown_account(account: Account) -> AccountShown:
    """An account as its owner sees it."""
    return {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "role": account.role,
        "vendor_id": account.vendor_id,
        "is_owner": account.is_owner,
        "version": account.version,
    }


def shown_key(key: ApiKey) -> ApiKeyShown:
    """A key without its secret."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scope": Scope(key.scope),
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
    }


class SessionShown(TypedDict):
    """Where an account is signed in. `is_current` marks the session that asks."""

    id: UUID
    address: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    is_current: bool


def shown_session(session: Session, *, current: UUID | None) -> SessionShown:
    """A session without its tokens."""
    return {
        "id": session.id,
        "address": session.address,
        "user_agent": session.user_agent,
        "created_at": session.created_at,
        "last_used_at": session.last_used_at,
        "expires_at": session.expires_at,
        "is_current": session.id == current,
    }
