"""What the jobs service is told."""

from typing import Annotated

from pydantic import Field

from shared.settings import DatabaseUrl, HttpUrl, ManagementUrl, ServiceKey, ServiceSettings


class Settings(ServiceSettings):
    """Settings of both processes."""

    jobs_database_url: DatabaseUrl
    """The role and database of the schema `jobs`."""
    jobs_key: ServiceKey | None = None
    """With it the gateway signs its calls to the jobs api; the ledger needs none."""
    probe_seconds: Annotated[float, Field(gt=0)] = 10.0
    """How often each work queue with jobs out is probed."""
    silence_seconds: Annotated[float, Field(gt=0)] = 15.0
    """How long a job behind a returned probe may be unreported and in nobody's hands before it counts as lost."""
    completed_days: Annotated[int, Field(ge=1, le=365)] = 7
    """How long completed and cancelled jobs are kept."""
    management_url: ManagementUrl | None = None
    """RabbitMQ's management API with a user tagged `monitoring`, who tells the api how many messages queues hold."""
    management_pages_url: HttpUrl | None = None
    """Where operators open RabbitMQ's management pages, if that is not where the api asks."""
    failed_days: Annotated[int, Field(ge=1, le=365)] = 30
    """How long failed jobs are kept."""
