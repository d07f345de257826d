"""All that the catalog promises, in the order in which the reference shows it."""

from collections.abc import Sequence
from typing import Final

from services.catalog.accounts.operations import ACCOUNTS
from services.catalog.approval.operations import APPROVAL
from services.catalog.audit_operations import AUDIT
from services.catalog.cache.operations import CACHES
from services.catalog.categories.operations import CATEGORIES
from services.catalog.contract.operations import REFERENCE
from services.catalog.images.operations import PICTURES
from services.catalog.inventory.operations import INVENTORY
from services.catalog.monitoring.operations import MONITORING
from services.catalog.orders.operations import ORDERS
from services.catalog.products.operations import CATALOGUE, PRODUCTS
from services.catalog.realtime.operations import FEEDS
from services.catalog.sync.operations import SOURCES
from services.catalog.vendors.operations import MEMBERS, VENDORS
from shared.web.operations import Group

GROUPS: Final[Sequence[Group]] = (
    CATALOGUE,
    CATEGORIES,
    VENDORS,
    ACCOUNTS,
    MEMBERS,
    PRODUCTS,
    PICTURES,
    APPROVAL,
    INVENTORY,
    SOURCES,
    ORDERS,
    FEEDS,
    CACHES,
    MONITORING,
    AUDIT,
    REFERENCE,
)
