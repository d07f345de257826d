"""What is known of a picture. No I/O."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from shared.contracts.events import ImageAdded

MAX_UPLOAD_BYTES: Final = 15_000_000
UPLOAD_PREFIX: Final = "blob:"
"""How `source` names an object of our own; anything else is an address."""
ORIGINALS: Final = "originals"
"""Where uploads are stored. Never served: only what imaging made of them is."""


@dataclass(frozen=True, slots=True)
class NewPicture:
    """A picture that wants its renditions."""

    id: UUID
    product_id: UUID
    position: int
    alt: str
    source: str
    is_proposed: bool = False
    """Whether an admin decides before the public sees it."""

    def added(self, vendor_id: UUID, *, round_: int = 1) -> ImageAdded:
        """The event that asks for the renditions."""
        return ImageAdded(
            vendor_id=vendor_id, image_id=self.id, product_id=self.product_id, source=self.source, round=round_
        )


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """A picture just before it is asked for once more."""

    id: UUID
    product_id: UUID
    source: str
    round: int
    status: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """A picture that waited too long for its answer."""

    id: UUID
    product_id: UUID
    source: str
    round: int
    vendor_id: UUID


@dataclass(frozen=True, slots=True)
class Failed:
    """A picture that just failed."""

    id: UUID
    product_id: UUID
