"""What imaging is told."""

import os
from typing import Annotated

from pydantic import Field

from shared.settings import ServiceSettings


def _cores() -> int:
    return len(os.sched_getaffinity(0))


class Settings(ServiceSettings):
    """Settings of the imaging process."""

    blobs_url: str = "file:///var/lib/souk/blobs"
    """Where originals are read and renditions stored."""
    outbound_allow: tuple[str, ...] = ()
    """Exact host:port that remote pictures may come from although the address is not public."""
    render_workers: Annotated[int, Field(ge=1, le=64)] = Field(default_factory=_cores)
    """Children that render at once; one per core by default."""
