"""Where a person can go. One list for each role; a page that is added gets its line here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.web.identity import Role


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the navigation. It is the current one for every address below its own."""

    path: str
    name: str
    icon: str

    def is_at(self, path: str) -> bool:
        """Whether `path` is this place, or below it. An area's first page (`/vendor`) is no place above the others."""
        return path == self.path or (self.path.count("/") > 1 and path.startswith(f"{self.path}/"))


ACCOUNT: Final = Place("/account", "Account", "person")
_OPERATIONS: Final = (
    Place("/admin/jobs", "Jobs", "list"),
    Place("/admin/queues", "Queues", "layers"),
    Place("/admin/workers", "Workers", "cpu"),
    Place("/admin/schedules", "Schedules", "clock"),
    Place("/admin/dead-letters", "Dead letters", "alert"),
)
"""What admins and operators both see."""
MONITORING: Final = Place("/admin/monitoring", "Monitoring", "heart")
NAVIGATION: Final[Mapping[Role, Sequence[Place]]] = {
    Role.VENDOR: (
        Place("/vendor", "Today", "sun"),
        Place("/vendor/products", "Products", "box"),
        Place("/vendor/inventory", "Stock", "layers"),
        Place("/vendor/reports", "Sales and reports", "chart"),
        Place("/vendor/sync-sources", "Stock sources", "sync"),
        Place("/vendor/members", "Members", "person"),
        ACCOUNT,
    ),
    Role.ADMIN: (
        Place("/admin", "Today", "sun"),
        Place("/admin/approvals", "Approvals", "check"),
        Place("/admin/reports", "Reports", "chart"),
        *_OPERATIONS,
        MONITORING,
        ACCOUNT,
    ),
    Role.OPS: (
        Place("/admin", "Today", "sun"),
        *_OPERATIONS,
        MONITORING,
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
