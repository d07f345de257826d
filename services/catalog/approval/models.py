"""Why a product may be turned down. No I/O."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ReasonCode(StrEnum):
    """The marketplace's list. The notifier explains each to the vendor, with what would put it right."""

    INCOMPLETE = "incomplete"
    DESCRIPTION = "description"
    TITLE = "title"
    IMAGES = "images"
    CATEGORY = "category"
    PRICE = "price"
    DUPLICATE = "duplicate"
    MISLEADING = "misleading"
    RIGHTS = "rights"
    PROHIBITED = "prohibited"
    OTHER = "other"


REASON_TEXTS: Final[Mapping[ReasonCode, str]] = {
    ReasonCode.INCOMPLETE: "Information is missing",
    ReasonCode.DESCRIPTION: "The description needs work",
    ReasonCode.TITLE: "The title needs work",
    ReasonCode.IMAGES: "The pictures are not good enough",
    ReasonCode.CATEGORY: "It is in the wrong category",
    ReasonCode.PRICE: "The price looks wrong",
    ReasonCode.DUPLICATE: "This product is already listed",
    ReasonCode.MISLEADING: "It could mislead buyers",
    ReasonCode.RIGHTS: "It may use someone else's brand or pictures",
    ReasonCode.PROHIBITED: "It may not be sold here",
    ReasonCode.OTHER: "Something else needs to change",
}
"""How the admins' pages name the codes."""
