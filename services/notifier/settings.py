"""What the notifier is told."""

from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from services.notifier.mailer import MailServer, TlsMode
from services.notifier.pusher import VapidKey
from shared.messaging.topology import SEND_EMAIL
from shared.setting import allowed
from shared.settings import DatabaseUrl, HttpUrl, OutboundAllow, ServiceKey, ServiceSettings

_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def _sender(value: str) -> str:
    name, address = parseaddr(value)
    Address(name, addr_spec=address)
    if "@" not in address:
        raise ValueError("a sender is an address, or a name and an address: Souk <souk@example.com>")
    return value


Sender = Annotated[str, AfterValidator(_sender), allowed("an address, also with a name: Souk <no-reply@…>")]
"""Who a letter is from."""


def _vapid(value: SecretStr) -> SecretStr:
    VapidKey.of(value.get_secret_value())
    return value


VapidPrivateKey = Annotated[
    SecretStr, AfterValidator(_vapid), allowed("a private key of P-256: 32 random bytes in base64url, without padding")
]


class Settings(ServiceSettings):
    """Settings of the notifier's process."""

    notifier_database_url: DatabaseUrl
    """The role and database of the schema `notifier`."""
    notifier_key: ServiceKey
    """With it the gateway signs its calls to the notifier."""
    catalog_url: HttpUrl
    """The gateway, as other services reach it: where people are looked up."""
    catalog_key: ServiceKey
    """With it other services sign their calls to the gateway."""
    public_url: HttpUrl
    """The gateway as people see it: links in mails begin with it, and https makes the session cookie a secure one."""
    mail_from: Sender
    """Who the letters are from."""
    smtp_host: str = "127.0.0.1"
    """The mail server."""
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 587
    """Its port: 587 for submission with STARTTLS, 465 with TLS, 25 without."""
    smtp_tls: TlsMode = TlsMode.STARTTLS
    """How the connection to it is protected; its certificate is always checked."""
    smtp_user: str | None = None
    """Whom to sign in as; nobody where it is not given."""
    smtp_password: SecretStr | None = None
    """The password of that user."""
    smtp_timeout_seconds: Annotated[float, Field(gt=0, le=25)] = 20.0
    """For one whole message; a job's limit is 30 s."""
    vapid_private_key: VapidPrivateKey | None = None
    """What web pushes are signed with. Without it there are none; with another one browsers have to subscribe anew."""
    outbound_allow: OutboundAllow = ()
    """Push services that may be told although their address is not public: exact host:port."""
    contacts_seconds: Annotated[float, Field(ge=0, le=600)] = 30.0
    """How long an address is used without asking the catalog again, where its `account.changed` went elsewhere."""
    delivery_days: Annotated[int, Field(ge=31, le=400)] = 35
    """How long it is known who got which job's mail: longer than a failed job can be retried (30 days)."""
    notification_days: Annotated[int, Field(ge=35, le=3650)] = 180
    """How long a line stays in an inbox."""

    @model_validator(mode="after")
    def _keeps_the_password_to_itself(self) -> Self:
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("SOUK_SMTP_USER and SOUK_SMTP_PASSWORD: give both or neither.")
        if self.smtp_password and self.smtp_tls is TlsMode.NONE and self.smtp_host not in _THIS_MACHINE:
            raise ValueError("SOUK_SMTP_TLS: none would send SOUK_SMTP_PASSWORD readably; allowed: starttls or tls.")
        return self

    @property
    def sender(self) -> Address:
        """Who the letters are from."""
        name, address = parseaddr(self.mail_from)
        return Address(name, addr_spec=address)

    @property
    def vapid_key(self) -> VapidKey | None:
        """The key pair of web push, if there is one."""
        return None if self.vapid_private_key is None else VapidKey.of(self.vapid_private_key.get_secret_value())

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
