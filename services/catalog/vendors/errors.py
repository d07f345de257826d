"""What vendors raise on purpose."""

from shared.errors import Conflict, NotFound


class UnknownVendor(NotFound):
    """There is no such vendor, or (to the public) it is suspended."""

    code = "unknown_vendor"


class AlreadySo(Conflict):
    """The vendor is suspended, or active, already; somebody else may have decided."""

    code = "already_so"
