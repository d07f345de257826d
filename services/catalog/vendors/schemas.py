"""Bodies and answers of vendors."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints
from typing_extensions import TypedDict

from services.catalog.accounts.schemas import Email, Name, NewPassword
from services.catalog.models import MAX_SLUG_CHARS, SLUG_PATTERN
from services.catalog.vendors.models import Member, Vendor, VendorStatus
from shared.web.bodies import Body
from shared.web.paging import PageQuery
from shared.zones import ZoneName

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
    time_zone: ZoneName | None = None
    account: FirstAccount


class ChangeVendor(Body):
    """PATCH /api/admin/vendors/{id}."""

    name: Name | None = None
    slug: Slug | None = None
    profile: Profile | None = None
    time_zone: ZoneName | None = None


class Decision(Body):
    """POST …/suspend and …/reinstate; the note is for the audit log."""

    note: Annotated[str, StringConstraints(max_length=1000)] = ""


class AddMember(Body):
    """POST /api/vendor/members."""

    email: Email
    name: Name
    is_owner: bool = False


class ChangeMember(Body):
    """PATCH /api/vendor/members/{id}."""

    is_owner: bool


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

    time_zone: str | None
    status: VendorStatus
    version: int
    updated_at: datetime


def shown_to_admins(vendor: Vendor) -> VendorForAdmins:
    """Everything."""
    return {
        **shown_to_all(vendor),
        "time_zone": vendor.time_zone,
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


class MemberShown(TypedDict):
    """Someone who acts for a vendor; owners also say who does.

    `one_time_until` is until when a password that was handed out lasts, null once its owner has chosen another.
    """

    id: UUID
    email: str
    name: str
    is_owner: bool
    one_time_until: datetime | None
    version: int
    created_at: datetime


class MemberWithPassword(MemberShown):
    """A member with the password to hand them, told this once; null in a replay."""

    one_time_password: str | None


def shown_member(member: Member) -> MemberShown:
    """A member as all the vendor's people see it."""
    return {
        "id": member.id,
        "email": member.email,
        "name": member.name,
        "is_owner": member.is_owner,
        "one_time_until": member.one_time_until,
        "version": member.version,
        "created_at": member.created_at,
    }
