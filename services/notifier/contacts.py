"""Who is behind an audience: accounts are the catalog's, so they are asked for when a letter is sent."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from services.notifier.models import Contact


class Contacts(Protocol):
    """People to write to. Raises Unavailable when they cannot be looked up now."""

    async def admins(self) -> Sequence[Contact]: ...

    async def vendor(self, vendor_id: UUID) -> Sequence[Contact]: ...
