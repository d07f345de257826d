"""A report as a reader sees it, whatever the form: a heading, key figures, charts, tables. Values only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from shared.contracts.base import Money
from shared.currencies import minor_digits

Cell = str | int | Decimal | date
DASH: Final = "\N{EN DASH}"
NOTHING: Final = DASH
"""What stands where there is no figure."""


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number that stands on its own."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one thing, one for each label of its chart; None where nothing is known."""

    name: str
    values: tuple[Decimal | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of numbers: `columns` stand side by side along time, `bars` lie below each other, largest first; a
    `line` goes along time from 0 to `top`.

    Several series are stacked. `description` says in a sentence what the picture shows, for who cannot see it; `axis`
    is what the labels are, for its table.
    """

    title: str
    description: str
    kind: Literal["columns", "bars", "line"]
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str = ""
    axis: str = ""
    top: Decimal | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see."""
        return not any(value for series in self.series for value in series.values)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names. Cells keep their kind: a number is a number in every form. `total` is a last row.

    `unseen` are columns that only programs want: ids. A table that `is_charted` says nothing that no chart shows.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None
    unseen: frozenset[str] = frozenset()
    is_charted: bool = False

    @property
    def seen(self) -> tuple[int, ...]:
        """The places of the columns that people want to see."""
        return tuple(place for place, column in enumerate(self.columns) if column not in self.unseen)

    def is_number(self, place: int) -> bool:
        """Whether there are numbers or shares in a column."""
        cells = [row[place] for row in self.rows]
        return any(isinstance(cell, int | Decimal) or (isinstance(cell, str) and cell.endswith(" %")) for cell in cells)


@dataclass(frozen=True, slots=True)
class Document:
    """A report, ready to be written in some form. `stem` names its files.

    `period_read` is the period as people write it; `notes` are sentences on what to look at.
    """

    title: str
    scope: str
    period: str
    period_read: str
    zone: str
    stem: str
    key_figures: tuple[KeyFigure, ...]
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    is_revised: bool = False


def decimal_of(money: Money) -> Decimal:
    """An amount in whole units, with as many decimals as its currency has."""
    return Decimal(money.amount_minor).scaleb(-minor_digits(money.currency))


def amount_in(currency: str, amounts: Sequence[Money]) -> Decimal:
    """The amount in a currency, zero with the currency's decimals if there is none."""
    found = next((money for money in amounts if money.currency == currency), Money(amount_minor=0, currency=currency))
    return decimal_of(found)


def spoken(amounts: Iterable[Money]) -> str:
    """Amounts as a person writes them: `1,224.56 EUR, 900 JPY`."""
    return ", ".join(f"{decimal_of(money):,} {money.currency}" for money in amounts) or "0"


def share(part: int, whole: int) -> str:
    """A part of a whole in per cent, without a decimal; a dash of nothing."""
    return NOTHING if whole == 0 else f"{round(100 * part / whole)} %"


def day_read(day: date) -> str:
    """A day as people write it, where the year goes without saying."""
    return f"{day:%a %-d %b}"


def days_read(first: date, last: date) -> str:
    """A period as people write it: what both days share is said once."""
    if first == last:
        return f"{first:%A %-d %B %Y}"
    if first.year != last.year:
        return f"{first:%-d %B %Y} {DASH} {last:%-d %B %Y}"
    return (
        f"{first:%-d %B} {DASH} {last:%-d %B %Y}"
        if first.month != last.month
        else f"{first:%-d} {DASH} {last:%-d %B %Y}"
    )


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 product`, `1,200 products`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def lasting(milliseconds: int) -> str:
    """How long something took, in the unit that suits it."""
    match milliseconds / 1000:
        case seconds if seconds < 1:
            return f"{milliseconds} ms"
        case seconds if seconds < 120:
            return f"{seconds:.1f} s"
        case seconds if seconds < 2 * 3600:
            return f"{seconds / 60:.0f} min"
        case seconds if seconds < 2 * 86400:
            return f"{seconds / 3600:.1f} h"
        case seconds:
            return f"{seconds / 86400:.1f} days"
