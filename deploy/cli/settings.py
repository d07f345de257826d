"""What the `souk` command is told: of the one-machine stack, and of installations that it speaks to."""

from pydantic import SecretStr

from deploy.local.settings import StackSettings
from shared.settings import HttpUrl


class CommandSettings(StackSettings):
    """Where nothing is given, the running one-machine stack of this clone is meant, as its `run.json` tells."""

    gateway_url: HttpUrl | None = None
    """The gateway that `souk` asks; without it the one of the running one-machine stack."""
    api_key: SecretStr | None = None
    """The API key with which `souk` asks; without it that of the running one-machine stack's administrator."""
