"""What the one-machine stack is told by its environment."""

import os
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from services.notifier.settings import Sender
from shared.settings import BrokerUrl, DatabaseUrl, Environment, HttpUrl, LogLevel, OutboundAllow, RetryTiers
from shared.zones import ZoneName

CLONE: Final = Path(__file__).resolve().parents[2]
_PASSED_ON: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}
"""What every process needs to see of the machine, and what it sees where this one was given nothing."""


class StackSettings(Environment):
    """Read once by the `souk` command. Nothing of it reaches a service unless `programs.py` says so."""

    home: Path = CLONE / ".souk"
    """Where the one-machine stack keeps everything, and `souk migrate` the passwords that it makes up."""
    database_url: DatabaseUrl | None = None
    """The migrator's database: its role makes schemas, roles and extensions. The stack starts one of its own without
    it; `souk migrate` and `user add` take that of the running stack."""
    catalog_database_url: DatabaseUrl | None = None
    """The role and database of the schema `catalog`."""
    jobs_database_url: DatabaseUrl | None = None
    """The role and database of the schema `jobs`."""
    notifier_database_url: DatabaseUrl | None = None
    """The role and database of the schema `notifier`."""
    reporting_database_url: DatabaseUrl | None = None
    """The role and database of the schema `reporting`."""
    scheduler_database_url: DatabaseUrl | None = None
    """The role and database of the schema `scheduler`."""
    amqp_url: BrokerUrl | None = None
    """The broker, with a user and virtual host. The stack starts one of its own without it."""
    retry_tiers: RetryTiers = "10s,1m,5m,30m,2h"
    """Delays of the retry exchanges. Every process of one installation has the same."""
    time_zone: ZoneName = "UTC"
    """Whose nights are off-peak, where days begin, and the zone of schedule entries that name none."""
    schedule_file: Path = CLONE / "deploy" / "schedule.toml"
    """The entries: what runs when."""
    mail_from: Sender = "Souk <no-reply@example.com>"
    """Who the letters are from."""
    outbound_allow: OutboundAllow = ()
    """Where remote pictures and stock sources may be fetched from although the address is not public."""
    log_level: LogLevel = "info"
    """The least important lines that are written."""
    otlp_endpoint: HttpUrl | None = None
    """An OpenTelemetry collector that takes spans by OTLP over HTTP; none are made without it."""
    ready_seconds: Annotated[float, Field(gt=0, le=600)] = 60.0
    """How long the processes of a one-machine stack may take to become ready."""

    @property
    def given_database_urls(self) -> dict[str, str]:
        """The services' own sign-ins that were given, by service: needed where the migrator may not make roles."""
        given = {
            "catalog": self.catalog_database_url,
            "jobs": self.jobs_database_url,
            "notifier": self.notifier_database_url,
            "reporting": self.reporting_database_url,
            "scheduler": self.scheduler_database_url,
        }
        return {service: url.get_secret_value() for service, url in given.items() if url}


def machine() -> dict[str, str]:
    """The variables that every process of the stack gets as they are here."""
    given = os.environ  # noqa: TID251 - passed on, no setting
    return {name: given.get(name) or otherwise for name, otherwise in _PASSED_ON.items()}
