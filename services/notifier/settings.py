"""What the notifier is told."""

from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from services.notifier.mailer import MailServer, TlsMode
from shared.messaging.topology import SEND_EMAIL
from shared.settings import ServiceKey, ServiceSettings


def _sender(value: str) -> str:
    name, address = parseaddr(value)
    Address(name, addr_spec=address)
    if "@" not in address:
        raise ValueError("a sender is an address, or a name and an address: Souk <souk@example.com>")
    return value


class Settings(ServiceSettings):
    """Settings of the notifier's process."""

    notifier_database_url: SecretStr
    """The role and database of the schema `notifier`."""
    notifier_key: ServiceKey
    """Signs the identities with which the gateway calls the inbox."""
    catalog_url: str
    catalog_key: ServiceKey
    """Where people are looked up, and what signs our identity there."""
    public_url: str = "http://127.0.0.1:8080"
    """The gateway as people see it: links in mails begin with it."""
    mail_from: Annotated[str, AfterValidator(_sender)] = "Souk <souk@example.com>"
    smtp_host: str = "127.0.0.1"
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 25
    smtp_tls: TlsMode = TlsMode.NONE
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_timeout_seconds: Annotated[float, Field(gt=0, le=25)] = 20.0
    """For one whole message; a job's limit is 30 s."""
    contacts_seconds: Annotated[float, Field(ge=0, le=600)] = 30.0
    """How long an address is used without asking the catalog again, where its `account.changed` went elsewhere."""
    delivery_days: Annotated[int, Field(ge=31, le=400)] = 35
    """How long it is known who got which job's mail: longer than a failed job can be retried (30 days)."""
    notification_days: Annotated[int, Field(ge=35, le=3650)] = 180
    """How long a line stays in an inbox."""

    @property
    def sender(self) -> Address:
        """Who the letters are from."""
        name, address = parseaddr(self.mail_from)
        return Address(name, addr_spec=address)

    @property
    def mail_server(self) -> MailServer:
        """How to reach the mail server."""
        return MailServer(
            host=self.smtp_host,
            port=self.smtp_port,
            tls=self.smtp_tls,
            user=self.smtp_user,
            password=self.smtp_password,
            timeout_seconds=self.smtp_timeout_seconds,
            max_connections=SEND_EMAIL.concurrency,
        )
