"""What reporting is told by its environment."""

from pydantic import SecretStr

from shared.settings import ServiceKey, ServiceSettings
from shared.zones import ZoneName


class Settings(ServiceSettings):
    """See `shared.settings`; `SOUK_REPORTING_DATABASE_URL` and `SOUK_REPORTING_KEY` have no default."""

    reporting_database_url: SecretStr
    reporting_key: ServiceKey
    time_zone: ZoneName = "UTC"
    """Where the days of a report begin and end."""
