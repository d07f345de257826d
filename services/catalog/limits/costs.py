"""What each route costs, declared beside the table of access: what is not named here is a read or a write."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.catalog.access import SAFE_METHODS
from services.catalog.limits.models import Cost

COSTS: Final[Mapping[tuple[str, str], Cost]] = MappingProxyType(
    {
        ("POST", "/api/auth/login"): Cost.AUTH,
        ("POST", "/login"): Cost.AUTH,
        ("GET", "/api/products"): Cost.SEARCH,
        ("GET", "/products"): Cost.SEARCH,
        ("GET", "/products/suggestions"): Cost.SEARCH,
        ("GET", "/api/vendor/products"): Cost.SEARCH,
        ("GET", "/vendor/products"): Cost.SEARCH,
        ("GET", "/vendor/inventory"): Cost.SEARCH,
        ("GET", "/admin/approvals"): Cost.SEARCH,
        ("GET", "/admin/products"): Cost.SEARCH,
        ("GET", "/admin/vendors"): Cost.SEARCH,
        ("GET", "/admin/audit"): Cost.SEARCH,
        ("GET", "/api/admin/products"): Cost.SEARCH,
        ("GET", "/api/admin/vendors"): Cost.SEARCH,
        ("GET", "/api/admin/audit"): Cost.SEARCH,
        ("GET", "/api/admin/jobs/list"): Cost.SEARCH,
        ("GET", "/api/admin/jobs/groups"): Cost.SEARCH,
        ("GET", "/admin/jobs"): Cost.SEARCH,
        ("GET", "/admin/jobs/failures"): Cost.SEARCH,
        ("GET", "/api/vendor/jobs"): Cost.SEARCH,
        ("POST", "/api/vendor/products/{id}/images"): Cost.UPLOAD,
        ("POST", "/vendor/products/{id}/images"): Cost.UPLOAD,
        ("POST", "/hooks/inventory/{source}"): Cost.UPLOAD,
        ("GET", "/api/vendor/reports"): Cost.REPORT,
        ("POST", "/api/vendor/reports"): Cost.REPORT,
        ("GET", "/api/vendor/reports/{id}"): Cost.REPORT,
        ("GET", "/api/vendor/reports/{id}/file"): Cost.REPORT,
        ("GET", "/vendor/reports"): Cost.REPORT,
        ("POST", "/vendor/reports"): Cost.REPORT,
        ("GET", "/vendor/reports/{id}"): Cost.REPORT,
        ("GET", "/admin/reports"): Cost.REPORT,
        ("POST", "/admin/reports"): Cost.REPORT,
        ("GET", "/admin/reports/{id}"): Cost.REPORT,
        ("GET", "/api/admin/reports"): Cost.REPORT,
        ("POST", "/api/admin/reports"): Cost.REPORT,
        ("GET", "/api/admin/reports/{id}"): Cost.REPORT,
        ("GET", "/api/admin/reports/{id}/file"): Cost.REPORT,
    }
)


def cost_of(method: str, route: str) -> Cost:
    """The class of a route, by its template; what has none ("") is a read, for nothing is written."""
    is_read = method in SAFE_METHODS or not route
    return COSTS.get(("GET" if method == "HEAD" else method, route), Cost.READ if is_read else Cost.WRITE)
