"""What imaging is told."""

import os
from typing import Annotated

from pydantic import Field

from shared.setting import allowed
from shared.settings import OutboundAllow, ServiceSettings


def _cores() -> int:
    return len(os.sched_getaffinity(0))


class Settings(ServiceSettings):
    """Settings of the imaging process."""

    blobs_url: Annotated[str, allowed("file:///folder or s3://bucket/prefix")]
    """The object store: originals, renditions and reports. The same for every process that is told one."""
    outbound_allow: OutboundAllow = ()
    """Where remote pictures may come from although the address is not public."""
    render_workers: Annotated[int, Field(ge=1, le=64)] = Field(default_factory=_cores)
    """Children that render at once; one per core by default."""
