"""Bodies and answers of vendors."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints
from typing_extensions import TypedDict

from services.catalog.accounts.schemas import Email, Name, NewPassword
from services.catalog.answers import PageQuery
from services.catalog.models import MAX_SLUG_CHARS, SLUG_PATTERN
from services.catalog.vendors.models import Vendor, VendorStatus
from shared.web.bodies import Body

Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=MAX_SLUG_CHARS)]
Profile = Annotated[str, StringConstraints(max_length=5000)]


class FirstAccount(Body):
    """Who signs in for a new vendor."""

    email: Email
    name: Name
    password: NewPassword


class CreateVendor(Body):
    """POST /api/admin/vendors."""

    name: Name
    slug: Slug | None = None
    profile: Profile = ""
    account: FirstAccount


class ChangeVendor(Body):
    """PATCH /api/admin/vendors/{id}."""

    name: Name | None = None
    slug: Slug | None = None
    profile: Profile | None = None


class Decision(Body):
    """POST …/suspend and …/reinstate; the note is for the audit log."""

    note: Annotated[str, StringConstraints(max_length=1000)] = ""


class VendorsQuery(PageQuery):
    """GET /api/admin/vendors."""

    status: VendorStatus | None = None


class VendorShown(TypedDict):
    """A vendor as shoppers see it."""

    id: UUID
    slug: str
    name: str
    profile: str
    created_at: datetime


class VendorForAdmins(VendorShown):
    """A vendor as the marketplace sees it."""

    status: VendorStatus
    version: int
    updated_at: datetime


def shown_to_admins(vendor: Vendor) -> VendorForAdmins:
    """Everything."""
    return {
        **shown_to_all(vendor),
        "status": vendor.status,
        "version": vendor.version,
        "updated_at": vendor.updated_at,
    }


def shown_to_all(vendor: Vendor) -> VendorShown:
    """What shoppers see."""
    return {
        "id": vendor.id,
        "slug": vendor.slug,
        "name": vendor.name,
        "profile": vendor.profile,
        "created_at": vendor.created_at,
    }
