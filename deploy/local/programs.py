"""The processes of Souk as data: how each starts and which settings it may see. Least privilege: no more than that."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from deploy.local.ports import free_ports
from deploy.local.supervisor import Program
from shared.messaging.topology import WORK

PREFERRED_GATEWAY_PORT = 8080
RETRIES = "SOUK_RETRY_TIERS"
BLOBS = "SOUK_BLOBS_URL"
OUTBOUND = "SOUK_OUTBOUND_ALLOW"
SYNC_KEY = "SOUK_SYNC_KEY"
PUBLIC = "SOUK_PUBLIC_URL"
ZONE = "SOUK_TIME_ZONE"
VAPID_KEY = "SOUK_VAPID_PRIVATE_KEY"
SCHEDULE = "SOUK_SCHEDULE_FILE"
MANAGEMENT = "SOUK_MANAGEMENT_URL"
MAIL_SEARCH = "SOUK_MAIL_SEARCH_URL"
SMTP = ("SOUK_SMTP_HOST", "SOUK_SMTP_PORT", "SOUK_SMTP_TLS", "SOUK_MAIL_FROM")


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One row of the table below.

    `schema` is the database role it signs in with, `serves` the service whose HTTP port it opens, `calls` the
    services it may call (their address and key), `reads` the common settings it gets, those that are not empty.
    """

    name: str
    arguments: tuple[str, ...]
    schema: str | None = None
    serves: str | None = None
    calls: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


BLUEPRINTS = (
    Blueprint("ledger", ("services.jobs", "ledger"), schema="jobs", reads=(RETRIES,)),
    Blueprint("jobs-api", ("services.jobs", "api"), schema="jobs", serves="jobs", reads=(RETRIES, MANAGEMENT)),
    Blueprint("relay", ("services.catalog", "relay"), schema="catalog"),
    Blueprint(
        "catalog-worker",
        ("services.catalog", "worker"),
        schema="catalog",
        reads=(RETRIES, ZONE, OUTBOUND, SYNC_KEY),
    ),
    Blueprint(
        "notifier",
        ("services.notifier",),
        schema="notifier",
        serves="notifier",
        calls=("catalog",),
        reads=(RETRIES, PUBLIC, OUTBOUND, VAPID_KEY, *SMTP),
    ),
    Blueprint("imaging", ("services.imaging",), reads=(RETRIES, OUTBOUND, BLOBS)),
    Blueprint(
        "reporting",
        ("services.reporting",),
        schema="reporting",
        serves="reporting",
        reads=(RETRIES, ZONE),
    ),
    Blueprint(
        "scheduler",
        ("services.scheduler",),
        schema="scheduler",
        serves="scheduler",
        reads=(RETRIES, SCHEDULE, ZONE),
    ),
    Blueprint(
        "gateway",
        ("services.catalog", "gateway"),
        schema="catalog",
        serves="catalog",
        calls=("jobs", "notifier", "reporting", "scheduler"),
        reads=(RETRIES, PUBLIC, BLOBS, ZONE, SYNC_KEY, MAIL_SEARCH),
    ),
)
"""In the order of starting: who is called before who calls. They stop in reverse."""

SERVICES = tuple(each.serves for each in BLUEPRINTS if each.serves)


@dataclass(frozen=True, slots=True)
class Replica:
    """One process that will run: its blueprint, its name (`imaging`, `imaging-2`) and its ports."""

    blueprint: Blueprint
    name: str
    ops_port: int
    http_port: int


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the processes are put together with.

    `amqp_urls` are by process, `database_urls` and `keys` by service, `common` by variable; `base` is what every
    process sees of the machine (PATH, HOME, LANG) and of logging.
    """

    amqp_urls: Mapping[str, str]
    database_urls: Mapping[str, str]
    keys: Mapping[str, str]
    common: Mapping[str, str]
    base: Mapping[str, str]
    urls: Mapping[str, str] = field(default_factory=dict)
    state: str = ""
    """Where each worker has a folder of its own, by its name: a restarted one finds its crash journal there."""


def replicas_of(
    counts: Mapping[str, int], blueprints: tuple[Blueprint, ...] = BLUEPRINTS, *, gateway_port: int | None = None
) -> list[Replica]:
    """Give every process its ports; `gateway_port` is the first gateway's, if there is one to give."""

    def plan() -> Iterator[Replica]:
        for blueprint in blueprints:
            for number in range(1, counts.get(blueprint.name, 1) + 1):
                is_first_gateway = blueprint.name == "gateway" and number == 1
                http_port = (gateway_port if is_first_gateway else None) or next(ports)
                name = blueprint.name if number == 1 else f"{blueprint.name}-{number}"
                yield Replica(blueprint, name, next(ports), http_port)

    total = sum(counts.get(each.name, 1) for each in blueprints)
    ports = iter(free_ports(2 * total))
    return list(plan())


def service_urls(replicas: list[Replica]) -> dict[str, str]:
    """Where each service is found: its first replica."""
    urls: dict[str, str] = {}
    for each in replicas:
        if each.blueprint.serves:
            urls.setdefault(each.blueprint.serves, f"http://127.0.0.1:{each.http_port}")
    return urls


def program_of(replica: Replica, wiring: Wiring) -> Program:
    """What the supervisor starts."""
    module, *arguments = replica.blueprint.arguments
    return Program(
        name=replica.name,
        argv=(sys.executable, "-m", module, *arguments),
        environment=environment_of(replica, wiring),
        ops_url=f"http://127.0.0.1:{replica.ops_port}",
    )


def environment_of(replica: Replica, wiring: Wiring) -> dict[str, str]:
    """Everything the process gets to see."""
    plan = replica.blueprint
    environment = {
        **wiring.base,
        "SOUK_AMQP_URL": wiring.amqp_urls[plan.name],
        "SOUK_OPS_PORT": str(replica.ops_port),
        **{name: wiring.common[name] for name in plan.reads if wiring.common[name]},
    }
    if wiring.state and any(work.reader == plan.name for work in WORK):
        environment["SOUK_STATE_DIR"] = f"{wiring.state}/{replica.name}"
    if plan.schema:
        environment[f"SOUK_{plan.schema.upper()}_DATABASE_URL"] = wiring.database_urls[plan.schema]
    if plan.serves:
        environment["SOUK_HTTP_PORT"] = str(replica.http_port)
        environment[f"SOUK_{plan.serves.upper()}_KEY"] = wiring.keys[plan.serves]
    for service in plan.calls:
        environment[f"SOUK_{service.upper()}_URL"] = wiring.urls[service]
        environment[f"SOUK_{service.upper()}_KEY"] = wiring.keys[service]
    return environment
