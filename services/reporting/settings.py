"""What reporting is told."""

from shared.settings import DatabaseUrl, ServiceKey, ServiceSettings
from shared.zones import ZoneName


class Settings(ServiceSettings):
    """Settings of the reporting process."""

    reporting_database_url: DatabaseUrl
    """The role and database of the schema `reporting`."""
    reporting_key: ServiceKey
    """With it the gateway signs its calls to reporting."""
    time_zone: ZoneName = "UTC"
    """Whose nights are off-peak, where days begin, and the zone of schedule entries that name none."""
