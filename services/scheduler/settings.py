"""What the scheduler is told by its environment."""

from pathlib import Path

from pydantic import SecretStr

from shared.settings import ServiceKey, ServiceSettings
from shared.zones import ZoneName


class Settings(ServiceSettings):
    """See `shared.settings`; `SOUK_SCHEDULER_DATABASE_URL` and `SOUK_SCHEDULER_KEY` have no default."""

    scheduler_database_url: SecretStr
    scheduler_key: ServiceKey
    schedule_file: Path = Path("deploy/schedule.toml")
    time_zone: ZoneName = "UTC"
    """The zone of entries that name none."""
