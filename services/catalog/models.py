"""Values that every feature of the catalog uses."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from shared.web.identity import Role

MAX_SLUG_CHARS: Final = 80
SLUG_PATTERN: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_SLUG: Final = re.compile(SLUG_PATTERN)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, for the audit log. `account_id` is null for Souk itself."""

    account_id: UUID | None
    role: Role
    vendor_id: UUID | None = None
    request_id: str | None = None


def is_slug(text: str) -> bool:
    """Whether this can be a name in addresses."""
    return _SLUG.fullmatch(text) is not None


def slug_of(name: str, *, otherwise: str) -> str:
    """A name as part of an address: `Café Löwe & Co.` is `cafe-lowe-co`; `otherwise` for one without Latin letters."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:MAX_SLUG_CHARS].strip("-") or otherwise
