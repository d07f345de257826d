"""What can be wrong with a product or with what is asked of it."""

from typing import Self

from services.catalog.products.models import TRANSITIONS, Action, Status
from shared.errors import Conflict, FieldError, Forbidden, InvalidInput, NotFound


class ProductNotFound(NotFound):
    """There is no such product for this caller: another vendor's is none."""

    code = "product_not_found"

    @classmethod
    def any(cls) -> Self:
        """The same words whatever the reason."""
        return cls("There is no such product.")


class WrongStatus(Conflict):
    """The product is not where this action begins: someone was faster, or it was never possible. Read it again."""

    code = "wrong_status"

    @classmethod
    def of(cls, action: Action, status: Status) -> Self:
        """Say where the product is and where the action begins."""
        sources = ", ".join(sorted(TRANSITIONS[action].sources))
        return cls(f"The product is {status}; {action} needs it to be {sources}.")


class ContentClosed(Conflict):
    """In this status the text or the pictures stay as they are."""

    code = "content_closed"


class SkuTaken(Conflict):
    """The vendor has a product of this sku that is not archived."""

    code = "sku_taken"

    @classmethod
    def of(cls, sku: str) -> Self:
        """Point at the sku."""
        return cls("You have a product of this sku.", errors=[FieldError("/sku", "sku_taken", f"{sku} is in use")])


class UnknownCategory(InvalidInput):
    """There is no category of this slug."""

    code = "unknown_category"

    @classmethod
    def of(cls, slug: str) -> Self:
        """Point at the category."""
        return cls(
            "There is no such category.",
            errors=[FieldError("/category", "unknown_category", f"{slug} is not in /api/categories")],
        )


class VendorNotActive(Forbidden):
    """A suspended vendor submits nothing until it is reinstated."""

    code = "vendor_not_active"

    @classmethod
    def to_submit(cls) -> Self:
        """It asks for approval."""
        return cls("A suspended vendor cannot submit products.")
