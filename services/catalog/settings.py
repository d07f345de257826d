"""What the catalog's processes are told. Each gets what it needs: the relay holds no key of anybody."""

from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from shared.setting import allowed
from shared.settings import DatabaseUrl, HttpUrl, OutboundAllow, ServiceKey, ServiceSettings
from shared.zones import ZoneName

PerMinute = Annotated[int, Field(ge=1, le=10_000_000)]


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Raises `ValueError` for what is no network."""
    for text in texts:
        ip_network(text)
    return texts


def _with_job(text: str) -> str:
    """Raises `ValueError` for what is no such address."""
    place = urlsplit(text)
    if place.scheme not in ("http", "https") or not place.hostname or "{job}" not in text:
        raise ValueError("it is no address of http or https with {job} in it")
    return text


class Settings(ServiceSettings):
    """Settings of the relay, and of every process of the catalog."""

    catalog_database_url: DatabaseUrl
    """The role and database of the schema `catalog`."""


class WorkerSettings(Settings):
    """Settings of the worker."""

    time_zone: ZoneName = "UTC"
    """Whose nights are off-peak, where days begin, and the zone of schedule entries that name none."""
    sync_key: ServiceKey
    """With it credentials and secrets of stock sources are kept encrypted: gateway and worker have the same."""
    outbound_allow: OutboundAllow = ()
    """Where remote pictures and stock sources may be fetched from although the address is not public."""
    picture_patience_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a picture may be pending before it is asked for again: one at a time, and all that others overtook."""


class GatewaySettings(Settings):
    """Settings of the gateway: its own key, and address and key of every service it passes requests to."""

    blobs_url: Annotated[str, allowed("file:///folder or s3://bucket/prefix")]
    """The object store: originals, renditions and reports. The same for every process that is told one."""
    time_zone: ZoneName = "UTC"
    """Whose nights are off-peak, where days begin, and the zone of schedule entries that name none."""
    public_url: HttpUrl
    """The gateway as people see it: links in mails begin with it, and https makes the session cookie a secure one."""
    catalog_key: ServiceKey
    """With it other services sign their calls to the gateway."""
    sync_key: ServiceKey
    """With it credentials and secrets of stock sources are kept encrypted: gateway and worker have the same."""
    jobs_url: HttpUrl
    """Where the jobs api answers."""
    jobs_key: ServiceKey
    """With it the gateway signs its calls to the jobs api."""
    notifier_url: HttpUrl
    """Where the notifier answers."""
    notifier_key: ServiceKey
    """With it the gateway signs its calls to the notifier."""
    reporting_url: HttpUrl
    """Where reporting answers."""
    reporting_key: ServiceKey
    """With it the gateway signs its calls to reporting."""
    scheduler_url: HttpUrl
    """Where the scheduler answers."""
    scheduler_key: ServiceKey
    """With it the gateway signs its calls to the scheduler."""
    mail_search_url: Annotated[str, AfterValidator(_with_job), allowed("http[s]://host/path?query={job}")] | None = None
    """Where operators look up the mails of a job, whose id stands for `{job}`: the page of a mail job links there."""
    trusted_proxies: Annotated[
        tuple[str, ...],
        AfterValidator(_networks),
        allowed('a JSON list of addresses or networks: ["10.0.0.0/8"]'),
    ] = ()
    """Proxies of our own that are believed what `X-Forwarded-For` says; without them it says nothing."""
    cors_origins: Annotated[
        tuple[Annotated[str, Field(pattern=r"^https?://[a-z0-9.:\[\]-]+$")], ...],
        allowed('a JSON list of exact origins: ["https://shop.example.com"]'),
    ] = ()
    """Other origins whose pages may call the API with a key. Cookies are never honoured from there."""
    limit_cached_per_minute: PerMinute = 1_200_000
    """Public reads answered from memory, by address and gateway (docs/limits.md)."""
    limit_read_per_minute: PerMinute = 60_000
    """Other reads, by vendor, account or address, and gateway."""
    limit_search_per_minute: PerMinute = 30_000
    """Reads of lists, by vendor, account or address, and gateway."""
    limit_write_per_minute: PerMinute = 30_000
    """Writes, by vendor, account or address, counted by all gateways together."""
    limit_upload_per_minute: PerMinute = 6_000
    """Uploads of pictures and of stock, by vendor, account or address, counted by all gateways together."""
    limit_report_per_minute: PerMinute = 3_000
    """Reports asked for or read, by vendor, account or address, and gateway."""
    limit_auth_per_minute: PerMinute = 600
    """Sign-ins tried, by address and gateway."""

    @property
    def is_cookie_secure(self) -> bool:
        """Whether browsers send the session cookie over https only: always, but for http on this very machine."""
        place = urlsplit(self.public_url)
        return place.scheme != "http" or place.hostname not in ("127.0.0.1", "::1", "localhost")
