"""Links to a report's page that need no sign-in, for mails: signed, and good for a while."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from services.reporting.errors import BadLink

GOOD_FOR: Final = timedelta(days=14)
PREFIX: Final = "/r"


@dataclass(frozen=True, slots=True)
class Links:
    """Signs and checks links. Who has the key can make them; who has a link can read that one report."""

    key: str

    def path_of(self, report_id: UUID, *, now: datetime) -> str:
        """The gateway's path: `/r/<report>/<expiry as hours since 1970>-<signature>`."""
        until = int((now + GOOD_FOR).timestamp()) // 3600
        return f"{PREFIX}/{report_id}/{until:x}-{self._signature(report_id, until)}"

    def check(self, report_id: UUID, token: str, *, now: datetime) -> None:
        """Raise `BadLink` unless the token is of this report and still good."""
        until_hex, _, signature = token.partition("-")
        try:
            until = int(until_hex, 16)
            expires_at = datetime.fromtimestamp(until * 3600, UTC)
        except (ValueError, OverflowError, OSError) as exc:
            raise BadLink("This link is not one of ours.") from exc
        if not hmac.compare_digest(signature.encode(), self._signature(report_id, until).encode()):
            raise BadLink("This link is not one of ours.")
        if now >= expires_at:
            raise BadLink("This link has expired; sign in to open the report.")

    def _signature(self, report_id: UUID, until: int) -> str:
        told = f"report-link {report_id} {until}".encode()
        return hmac.new(self.key.encode(), told, hashlib.sha256).hexdigest()[:32]
