"""What can be wrong with a change of stock."""

from typing import Self

from shared.errors import Conflict, FieldError, NotFound


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
