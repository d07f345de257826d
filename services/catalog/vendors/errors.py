"""What vendors raise on purpose."""

from typing import Self

from shared.errors import Conflict, NotFound


class UnknownVendor(NotFound):
    """There is no such vendor, or (to the public) it is suspended."""

    code = "unknown_vendor"

    @classmethod
    def any(cls) -> Self:
        """The same words whatever the reason."""
        return cls("There is no such vendor.")


class UnknownMember(NotFound):
    """The vendor has no such member: another vendor's is none."""

    code = "unknown_member"


class LastOwner(Conflict):
    """Somebody has to say who acts for the vendor; make another member an owner first."""

    code = "last_owner"


class TooManyMembers(Conflict):
    """The vendor has as many members as it may; remove one first."""

    code = "too_many_members"


class AlreadySo(Conflict):
    """The vendor is suspended, or active, already; somebody else may have decided."""

    code = "already_so"
