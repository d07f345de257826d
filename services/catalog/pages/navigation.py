"""Where a person can go. One list for each role; a page that is added gets its line here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.web.identity import Role


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the navigation. It is the current one for every address below its own; `begins` heads a group."""

    path: str
    name: str
    icon: str
    begins: str = ""

    def is_at(self, path: str) -> bool:
        """Whether `path` is this place, or below it. An area's first page (`/vendor`) is no place above the others."""
        return path == self.path or (self.path.count("/") > 1 and path.startswith(f"{self.path}/"))


ACCOUNT: Final = Place("/account", "Account", "person")
VENDORS: Final = Place("/admin/vendors", "Vendors", "shop")
_WORK: Final = (
    Place("/admin/jobs", "Jobs", "list", begins="Work"),
    Place("/admin/queues", "Queues", "layers"),
    Place("/admin/workers", "Workers", "cpu"),
    Place("/admin/schedules", "Schedules", "clock"),
    Place("/admin/dead-letters", "Dead letters", "alert"),
)
_SYSTEM: Final = (
    Place("/admin/monitoring", "Monitoring", "heart", begins="System"),
    Place("/admin/caches", "Caches", "bolt"),
)
"""What admins and operators both see."""
NAVIGATION: Final[Mapping[Role, Sequence[Place]]] = {
    Role.VENDOR: (
        Place("/vendor", "Today", "sun"),
        Place("/vendor/products", "Products", "box"),
        Place("/vendor/inventory", "Stock", "layers"),
        Place("/vendor/reports", "Sales and reports", "chart"),
        Place("/vendor/sync-sources", "Stock sources", "sync"),
        Place("/vendor/members", "Members", "people"),
        ACCOUNT,
    ),
    Role.ADMIN: (
        Place("/admin", "Today", "sun"),
        Place("/admin/approvals", "Approvals", "check"),
        Place("/admin/products", "Products", "box"),
        VENDORS,
        Place("/admin/reports", "Reports", "chart"),
        *_WORK,
        *_SYSTEM,
        Place("/admin/audit", "Audit log", "book"),
        ACCOUNT,
    ),
    Role.OPS: (
        Place("/admin", "Today", "sun"),
        VENDORS,
        *_WORK,
        *_SYSTEM,
        ACCOUNT,
    ),
}
FEEDS: Final[Mapping[Role, str]] = {
    Role.VENDOR: "/api/vendor/stream",
    Role.ADMIN: "/api/admin/stream",
    Role.OPS: "/api/admin/stream",
}
"""The one live feed of each role's pages."""


def landing(role: Role) -> str:
    """Where somebody begins after signing in: the first place there is, else the shop."""
    places = NAVIGATION.get(role, ())
    return places[0].path if places else "/"
