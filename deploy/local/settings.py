"""What the one-machine stack is told by its environment."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

CLONE = Path(__file__).resolve().parents[2]


class StackSettings(BaseSettings):
    """Read once by the `souk` command. Nothing of it reaches a service unless `programs.py` says so."""

    model_config = SettingsConfigDict(env_prefix="SOUK_", frozen=True, extra="ignore")

    home: Path = CLONE / ".souk"
    database_url: SecretStr | None = None
    """A PostgreSQL to use instead of a private one; its role makes schemas and roles."""
    catalog_database_url: SecretStr | None = None
    jobs_database_url: SecretStr | None = None
    notifier_database_url: SecretStr | None = None
    reporting_database_url: SecretStr | None = None
    scheduler_database_url: SecretStr | None = None
    """Each service's own sign-in, where the role above may not make roles."""
    amqp_url: SecretStr | None = None
    """A RabbitMQ to use instead of a private one, with the user and virtual host of every process."""
    retry_tiers: str = "10s,1m,5m,30m,2h"
    time_zone: str = "UTC"
    schedule_file: Path = CLONE / "deploy" / "schedule.toml"
    mail_from: str = "Souk <no-reply@example.com>"
    outbound_allow: str = "[]"
    log_level: str = "info"
    otlp_endpoint: str = ""
    """A collector for the spans of every process; none if empty."""
    ready_seconds: float = 60.0
    """How long the processes of a stack may take to become ready."""

    machine_path: str = Field("/usr/local/bin:/usr/bin:/bin", validation_alias="PATH")
    machine_home: str = Field("/", validation_alias="HOME")
    machine_language: str = Field("C.UTF-8", validation_alias="LANG")

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
