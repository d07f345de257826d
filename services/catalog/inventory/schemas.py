"""What is sent to and answered by the addresses of stock."""

from datetime import datetime
from typing import Annotated, Final, Literal, NotRequired, Self
from uuid import UUID

from pydantic import Field, StringConstraints, field_validator, model_validator
from typing_extensions import TypedDict

from services.catalog.inventory.models import MAX_PIECES, Adjusted, Defaults, Level, Movement, MovementKind
from shared.web.bodies import Body
from shared.web.paging import PageQuery

MAX_ADJUSTMENTS: Final = 250

Pieces = Annotated[int, Field(ge=0, le=MAX_PIECES)]


class LevelBody(Body):
    """What was counted, and what the caller believed the level to be."""

    on_hand: Pieces
    expected_on_hand: Pieces


class AdjustmentBody(Body):
    """Pieces that came (positive) or went (negative)."""

    product_id: UUID
    delta: Annotated[int, Field(ge=-MAX_PIECES, le=MAX_PIECES)]

    @field_validator("delta")
    @classmethod
    def _moves(cls, delta: int) -> int:
        if delta == 0:
            raise ValueError("a movement of nothing")
        return delta


class AdjustBody(Body):
    """Many adjustments, each product once: together or not at all, or (`each`) every line that can be done.

    `receive` is for goods that came.
    """

    mode: Literal["all", "each"] = "all"
    kind: Literal["adjust", "receive"] = "adjust"
    lines: Annotated[list[AdjustmentBody], Field(min_length=1, max_length=MAX_ADJUSTMENTS)]
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""

    @field_validator("lines")
    @classmethod
    def _each_once(cls, lines: list[AdjustmentBody]) -> list[AdjustmentBody]:
        if len({line.product_id for line in lines}) < len(lines):
            raise ValueError("a product is named twice")
        return lines

    @model_validator(mode="after")
    def _comes(self) -> Self:
        if self.kind == "receive" and any(line.delta < 0 for line in self.lines):
            raise ValueError("goods that came are more than none")
        return self


class ThresholdBody(Body):
    """Where low begins; null leaves it to the vendor's default, and that to the marketplace's."""

    threshold: Pieces | None


class MarketplaceThresholdBody(Body):
    """Where low begins where nobody says anything else."""

    threshold: Pieces


class LevelsQuery(PageQuery):
    """A vendor's levels; `low` leaves those at or below their threshold."""

    low: bool = False


class LevelShown(TypedDict):
    """A level. `threshold` is the one that holds, `own_threshold` the product's own; `version` counts its movements."""

    product_id: UUID
    sku: str
    title: str
    status: str
    on_hand: int
    threshold: int
    own_threshold: int | None
    is_low: bool
    version: int
    updated_at: datetime


class AdjustedShown(TypedDict):
    """What became of one line. `code` says why it was not applied; `on_hand` is the level after it, null if unknown."""

    product_id: UUID
    applied: bool
    on_hand: int | None
    code: NotRequired[str]


class DefaultsShown(TypedDict):
    """A vendor's default, null for none, and the marketplace's, which holds without it."""

    threshold: int | None
    marketplace_threshold: int


class MarketplaceDefaultShown(TypedDict):
    """Where low begins where nobody says anything else."""

    threshold: int


class MovementShown(TypedDict):
    """One movement, with the level after it. `reference` is what caused it."""

    version: int
    kind: MovementKind
    delta: int
    on_hand: int
    reference: str
    at: datetime


def level_shape(level: Level) -> LevelShown:
    """A level as its vendor sees it."""
    return {
        "product_id": level.product_id,
        "sku": level.sku,
        "title": level.title,
        "status": level.status,
        "on_hand": level.on_hand,
        "threshold": level.threshold,
        "own_threshold": level.own_threshold,
        "is_low": level.on_hand <= level.threshold,
        "version": level.version,
        "updated_at": level.updated_at,
    }


def adjusted_shape(one: Adjusted) -> AdjustedShown:
    """What became of one line."""
    shape: AdjustedShown = {"product_id": one.product_id, "applied": one.refused is None, "on_hand": one.on_hand}
    return shape if one.refused is None else {**shape, "code": one.refused}


def defaults_shape(defaults: Defaults) -> DefaultsShown:
    """A vendor's default, and the one that holds without it."""
    return {"threshold": defaults.vendor, "marketplace_threshold": defaults.marketplace}


def movement_shape(movement: Movement) -> MovementShown:
    """A movement as its vendor sees it."""
    return {
        "version": movement.version,
        "kind": movement.kind,
        "delta": movement.delta,
        "on_hand": movement.on_hand,
        "reference": movement.reference,
        "at": movement.at,
    }
