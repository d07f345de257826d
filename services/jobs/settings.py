"""What the jobs service is told."""

from typing import Annotated

from pydantic import Field, SecretStr

from shared.settings import ServiceKey, ServiceSettings


class Settings(ServiceSettings):
    """Settings of both processes."""

    jobs_database_url: SecretStr
    """The role and database of the schema `jobs`."""
    jobs_key: ServiceKey | None = None
    """Signs the identities with which the gateway calls the api; the ledger needs none."""
    probe_seconds: Annotated[float, Field(gt=0)] = 10.0
    """How often each work queue with jobs out is probed."""
    silence_seconds: Annotated[float, Field(gt=0)] = 15.0
    """How long a job behind a returned probe may be unreported and in nobody's hands before it counts as lost."""
    completed_days: Annotated[int, Field(ge=1, le=365)] = 7
    failed_days: Annotated[int, Field(ge=1, le=365)] = 30
    """How long finished jobs are kept, by state; cancelled ones as long as completed ones."""
