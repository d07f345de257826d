"""What is sent to and answered by the addresses of stock."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from services.catalog.answers import PageQuery
from services.catalog.inventory.models import MAX_PIECES, Level, Movement
from shared.web.bodies import Body

Pieces = Annotated[int, Field(ge=0, le=MAX_PIECES)]


class LevelBody(Body):
    """What was counted, and what the caller believed the level to be."""

    on_hand: Pieces
    expected_on_hand: Pieces


class ThresholdBody(Body):
    """Where low begins."""

    threshold: Pieces


class LevelsQuery(PageQuery):
    """A vendor's levels; `low` leaves those at or below their threshold."""

    low: bool = False


def level_shape(level: Level) -> Mapping[str, Any]:
    """A level as its vendor sees it."""
    return {
        "product_id": level.product_id,
        "sku": level.sku,
        "title": level.title,
        "status": level.status,
        "on_hand": level.on_hand,
        "threshold": level.threshold,
        "is_low": level.on_hand <= level.threshold,
        "version": level.version,
        "updated_at": level.updated_at,
    }


def movement_shape(movement: Movement) -> Mapping[str, Any]:
    """A movement as its vendor sees it."""
    return {
        "version": movement.version,
        "kind": movement.kind.value,
        "delta": movement.delta,
        "on_hand": movement.on_hand,
        "reference": movement.reference,
        "at": movement.at,
    }
