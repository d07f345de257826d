"""What can be wrong with a change of stock."""

from collections.abc import Collection, Sequence
from typing import Self
from uuid import UUID

from shared.errors import Conflict, FieldError, InvalidInput, NotFound


class LevelNotFound(NotFound):
    """There is no such product for this vendor."""

    code = "product_not_found"

    @classmethod
    def any(cls) -> Self:
        """The same words whatever the reason."""
        return cls("There is no such product.")


class StaleQuantity(Conflict):
    """The level moved since the caller read it; look at the new one and decide again."""

    code = "stale_quantity"

    @classmethod
    def of(cls, expected: int, on_hand: int) -> Self:
        """Say what the level is."""
        return cls(
            f"The stock is {on_hand}, not {expected}.",
            errors=[FieldError("/expected_on_hand", "stale_quantity", str(on_hand))],
        )


class UnknownProducts(InvalidInput):
    """Some lines name products that this vendor does not have; nothing was changed."""

    code = "unknown_product"

    @classmethod
    def of(cls, asked: Sequence[UUID], known: Collection[UUID]) -> Self:
        """Point at the lines."""
        return cls("Some products are not yours.", errors=_lines(asked, known, "product_id", "unknown_product"))


class OutOfRange(Conflict):
    """Some levels would fall below zero or rise above a billion; nothing was changed."""

    code = "out_of_range"

    @classmethod
    def of(cls, asked: Sequence[UUID], moved: Collection[UUID]) -> Self:
        """Point at the lines."""
        return cls("A level cannot move that far.", errors=_lines(asked, moved, "delta", "out_of_range"))


def _lines(asked: Sequence[UUID], fine: Collection[UUID], field: str, code: str) -> list[FieldError]:
    return [
        FieldError(f"/lines/{index}/{field}", code, str(product_id))
        for index, product_id in enumerate(asked)
        if product_id not in fine
    ]
