"""Who tests write to, what they write, and contacts that a test chooses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.notifier.mailer import Mailer, MailServer
from services.notifier.models import Contact
from services.notifier.usecases import Mailroom
from shared.clock import utc_now
from shared.contracts.base import Audience
from shared.contracts.jobs import SendEmail, SendNotification
from shared.db.pool import Pool
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


def without_mail_server(pool: Pool, people: People) -> Mailroom:
    """A mailroom that writes letters and reaches no server to send them by."""
    return Mailroom(
        pool=pool,
        contacts=people,
        mailer=Mailer(MailServer("127.0.0.1", 9)),
        sender=mails.SENDER,
        public_url=mails.PUBLIC_URL,
        clock=utc_now,
    )
