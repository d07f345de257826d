"""What can be wrong with an order."""

from shared.errors import Conflict, FieldError, InvalidInput, NotFound


class OrderNotFound(NotFound):
    """This channel has no such order."""

    code = "order_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such order.")


class OrderDiffers(Conflict):
    """The channel has another order of this number; give the new one a number of its own."""

    code = "order_differs"

    def __init__(self) -> None:
        super().__init__(
            "There is another order with this external_id.",
            errors=[FieldError("/external_id", "order_differs", "used with another body")],
        )


class InsufficientStock(Conflict):
    """Some lines ask for more than there is; `errors` lists them, and nothing was sold."""

    code = "insufficient_stock"


class NotForSale(Conflict):
    """Some lines name products that are not in the catalogue now; nothing was sold."""

    code = "not_for_sale"


class UnknownProduct(InvalidInput):
    """Some lines name products that do not exist."""

    code = "unknown_product"


class OrderInTheFuture(InvalidInput):
    """The order's time has not come: a clock is wrong, or the time zone."""

    code = "placed_in_future"

    def __init__(self) -> None:
        super().__init__(
            "The order's time has not come yet.",
            errors=[FieldError("/placed_at", "placed_in_future", "later than now")],
        )
