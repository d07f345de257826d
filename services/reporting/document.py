"""A report as a reader sees it, whatever the form: a heading, key figures, charts, tables. Values only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from shared.contracts.base import Money
from shared.currencies import minor_digits

Cell = str | int | Decimal | date


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number that stands on its own."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one thing, one for each label of its chart."""

    name: str
    values: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of numbers: `columns` stand side by side along time, `bars` lie below each other, largest first.

    Several series are stacked. `description` says in a sentence what the picture shows, for who cannot see it.
    """

    title: str
    description: str
    kind: Literal["columns", "bars"]
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see."""
        return not any(value for series in self.series for value in series.values)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names. Cells keep their kind: a number is a number in every form. `total` is a last row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A report, ready to be written in some form. `stem` names its files."""

    title: str
    scope: str
    period: str
    zone: str
    stem: str
    key_figures: tuple[KeyFigure, ...]
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...]
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
    return "-" if whole == 0 else f"{round(100 * part / whole)} %"
