"""What a visitor of the shop asks for: the address's filters as the catalogue understands them. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from services.catalog.products.schemas import Slug
from services.catalog.products.store import Filter

DIGITS: Final = 2
"""Price filters are typed as amounts of a currency with cents, which nearly all are."""
SORTS: Final[Mapping[str, str]] = {
    "newest": "Newest first",
    "price": "Lowest price first",
    "-price": "Highest price first",
}


def _minor(text: Any) -> Any:
    """`12.50` as 1250. What is no amount is refused by the field behind this."""
    if not isinstance(text, str):
        return text
    whole, _, cents = text.strip().replace(",", ".").partition(".")
    return f"{whole}{cents.ljust(DIGITS, '0')}" if len(cents) <= DIGITS else text


Amount = Annotated[int, BeforeValidator(_minor), Field(ge=0, le=10**12)]


class ShopQuery(BaseModel):
    """The filters of `/products`. Unknown parameters, which other sites add to links, do not matter."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    q: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] | None = None
    category: Slug | None = None
    vendor: Slug | None = None
    price_from: Amount | None = None
    price_to: Amount | None = None
    in_stock: Literal["yes"] | None = None
    sort: Literal["newest", "price", "-price"] = "newest"

    def wanted(self, *, without_category: bool = False) -> Filter:
        """The same as the catalogue's filter."""
        return Filter(
            category=None if without_category else self.category,
            vendor=self.vendor,
            pattern=None if self.q is None else f"%{literally(self.q)}%",
            min_price=self.price_from,
            max_price=self.price_to,
            in_stock=True if self.in_stock else None,
        )

    @property
    def is_filtered(self) -> bool:
        """Whether anything is asked for but an order."""
        return self.model_dump(exclude={"sort"}, exclude_none=True) != {}


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set, and the address without it."""

    name: str
    without: str


def literally(text: str) -> str:
    """`text` for ILIKE, its wildcards taken as they are."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
