"""What the catalog's processes are told. Each gets what it needs: the relay holds no key of anybody."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from shared.settings import ServiceKey, ServiceSettings
from shared.zones import ZoneName


class Settings(ServiceSettings):
    """Settings of the relay, and of every process of the catalog."""

    catalog_database_url: SecretStr
    """The role and database of the schema `catalog`."""


class WorkerSettings(Settings):
    """Settings of the worker."""

    time_zone: ZoneName = "UTC"
    """Whose nights are off-peak."""
    sync_key: ServiceKey
    """With it credentials and secrets of stock sources are kept encrypted: gateway and worker have the same."""
    outbound_allow: tuple[str, ...] = ()
    """Exact host:port that stock sources may be fetched from although the address is not public."""
    picture_patience_seconds: Annotated[float, Field(gt=0)] = 120.0
    """How long a picture may be pending before it is asked for again: twice the time limit of its job."""


class GatewaySettings(Settings):
    """Settings of the gateway: its own key, and address and key of every service it passes requests to."""

    blobs_url: str
    """The object store (`shared.blobs`), where uploads go."""
    time_zone: ZoneName = "UTC"
    """Whose nights are off-peak."""
    public_url: str = "http://127.0.0.1:8080"
    """The gateway as people see it."""
    catalog_key: ServiceKey
    """Other services sign their calls to `/internal/…` with this."""
    sync_key: ServiceKey
    """With it credentials and secrets of stock sources are kept encrypted: gateway and worker have the same."""
    jobs_url: str
    jobs_key: ServiceKey
    notifier_url: str
    notifier_key: ServiceKey
    reporting_url: str
    reporting_key: ServiceKey
    scheduler_url: str
    scheduler_key: ServiceKey

    @property
    def is_cookie_secure(self) -> bool:
        """Whether browsers send the session cookie over https only: always, but for http on this very machine."""
        place = urlsplit(self.public_url)
        return place.scheme != "http" or place.hostname not in ("127.0.0.1", "::1", "localhost")
