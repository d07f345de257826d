"""Recipients that the sink turns away on purpose, to see how Souk copes."""

from collections.abc import Iterable


class Refusals:
    """Reply by address, compared without case. In memory: a restart accepts everyone again."""

    def __init__(self) -> None:
        self._replies: dict[str, str] = {}

    def replace(self, addresses: Iterable[str], reply: str) -> None:
        """From now on refuse these and nobody else."""
        self._replies = {address.lower(): reply for address in addresses}

    def reply_to(self, address: str) -> str | None:
        """What to answer to RCPT TO; None accepts."""
        return self._replies.get(address.lower())

    def all(self) -> dict[str, str]:
        """Reply by address."""
        return dict(self._replies)
