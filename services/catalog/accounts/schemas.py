"""Bodies and answers of accounts."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import EmailStr, StringConstraints, model_validator

from services.catalog.accounts.models import Account, ApiKey, Scope
from shared.web.bodies import ONE_LINE, Body, Moment, Query

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


def shown_account(account: Account) -> dict[str, Any]:
    """An account as its owner sees it."""
    return {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "role": account.role,
        "vendor_id": account.vendor_id,
        "version": account.version,
    }


def shown_key(key: ApiKey) -> dict[str, Any]:
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
