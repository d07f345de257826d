"""What the scheduler is told."""

from pathlib import Path

from shared.settings import DatabaseUrl, ServiceKey, ServiceSettings
from shared.zones import ZoneName


class Settings(ServiceSettings):
    """Settings of the scheduler's process."""

    scheduler_database_url: DatabaseUrl
    """The role and database of the schema `scheduler`."""
    scheduler_key: ServiceKey
    """With it the gateway signs its calls to the scheduler."""
    schedule_file: Path = Path("deploy/schedule.toml")
    """The entries: what runs when."""
    time_zone: ZoneName = "UTC"
    """Whose nights are off-peak, where days begin, and the zone of schedule entries that name none."""
