"""Who tests write to, what they write, and contacts that a test chooses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.notifier.models import Contact
from shared.contracts.base import Audience
from shared.contracts.jobs import SendEmail, SendNotification
from tests.golden import kept_mails as mails

VENDOR = UUID(int=7)
ADA, BEN, EVE = (
    Contact(UUID(int=number), f"{name.lower()}@example.com", name)
    for number, name in enumerate(("Ada", "Ben", "Eve"), start=1)
)
TO_ADMINS = SendEmail(
    letter="product_submitted",
    audience=Audience(kind="admins"),
    params={
        "product_id": mails.PRODUCT,
        "title": "Bowl",
        "sku": "B-1",
        "vendor_name": "Atelier",
        "price_minor": 100,
        "currency": "EUR",
    },
)
APPROVED = SendNotification(
    kind="product_approved",
    audience=Audience(kind="vendor", vendor_id=VENDOR),
    params={"product_id": mails.PRODUCT, "title": "Bowl"},
)


@dataclass
class People:
    """Contacts that a test chooses."""

    all_admins: list[Contact] = field(default_factory=lambda: [ADA, BEN, EVE])
    vendors: dict[UUID, list[Contact]] = field(default_factory=dict)

    async def admins(self) -> Sequence[Contact]:
        return self.all_admins

    async def vendor(self, vendor_id: UUID) -> Sequence[Contact]:
        return self.vendors.get(vendor_id, [])
