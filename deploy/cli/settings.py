"""What the `souk` command is told where it speaks to an installation, wherever that runs."""

from pathlib import Path

from pydantic import SecretStr

from deploy.local.settings import CLONE
from shared.settings import BrokerUrl, DatabaseUrl, Environment, HttpUrl, RetryTiers


class CommandSettings(Environment):
    """Where nothing is given, the running one-machine stack of this clone is meant, as its `run.json` tells."""

    gateway_url: HttpUrl | None = None
    """The gateway that `souk` asks; without it the one of the running one-machine stack."""
    api_key: SecretStr | None = None
    """The API key with which `souk` asks; without it that of the running one-machine stack's administrator."""
    database_url: DatabaseUrl | None = None
    """The migrator's database: its role makes schemas, roles and extensions. `souk migrate` and `user add` read it."""
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
    """The broker, with the user and virtual host of this process."""
    retry_tiers: RetryTiers = "10s,1m,5m,30m,2h"
    """Delays of the retry exchanges. Every process of one installation has the same."""
    home: Path = CLONE / ".souk"
    """Where the one-machine stack keeps everything, and `souk migrate` the passwords that it makes up."""

    @property
    def given_database_urls(self) -> dict[str, str]:
        """The services' own sign-ins that were given, by service."""
        given = {
            "catalog": self.catalog_database_url,
            "jobs": self.jobs_database_url,
            "notifier": self.notifier_database_url,
            "reporting": self.reporting_database_url,
            "scheduler": self.scheduler_database_url,
        }
        return {service: url.get_secret_value() for service, url in given.items() if url}
