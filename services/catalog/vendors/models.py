"""Values of vendors."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class VendorStatus(StrEnum):
    """Whether a vendor may sell."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """None of its products is shown."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """Who sells. `profile` is what shoppers read; `version` rises with every change.

    Days of its reports begin in `time_zone`, an IANA name; null is the marketplace's.
    """

    id: UUID
    slug: str
    name: str
    profile: str
    time_zone: str | None
    status: VendorStatus
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewVendor:
    """A vendor to be, with its first account. Without a slug one is made of the name."""

    name: str
    slug: str | None
    profile: str
    email: str
    person: str
    password: str
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What may be changed; None stays as it is."""

    name: str | None = None
    slug: str | None = None
    profile: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """Someone who acts for a vendor. `one_time_until` is set until they have chosen a password of their own."""

    id: UUID
    email: str
    name: str
    is_owner: bool
    one_time_until: datetime | None
    version: int
    created_at: datetime
