"""What the addresses of stock promise."""

from typing import Final

from services.catalog.inventory.schemas import (
    AdjustBody,
    AdjustedShown,
    DefaultsShown,
    LevelBody,
    LevelShown,
    LevelsQuery,
    MarketplaceDefaultShown,
    MarketplaceThresholdBody,
    MovementShown,
    ThresholdBody,
)
from shared.web.operations import Answer, Group, Listed, Operation, Page
from shared.web.paging import PageQuery

_LEVEL: Final = {200: Answer(LevelShown, "The level as it is now.")}

INVENTORY: Final = Group(
    "Inventory",
    "A vendor's stock. Every change is a movement; at its threshold a level is low, and its vendor is told once.",
    (
        Operation(
            route="GET /api/vendor/inventory",
            id="listLevels",
            summary="List your stock levels",
            query=LevelsQuery,
            answers={200: Answer(Page[LevelShown], "A page of levels.")},
            is_conditional=True,
        ),
        Operation(
            route="POST /api/vendor/inventory/adjust",
            id="adjustLevels",
            summary="Adjust up to 250 levels",
            description="All lines or none, or with `mode` `each` every line that can be done.",
            body=AdjustBody,
            answers={200: Answer(Listed[AdjustedShown], "What became of each line, in the order they were given.")},
            is_creating=True,
            errors=(409,),
        ),
        Operation(
            route="GET /api/vendor/inventory/{product_id}",
            id="readLevel",
            summary="Read a stock level",
            answers={200: Answer(LevelShown, "The level.")},
            is_conditional=True,
            has_version=True,
        ),
        Operation(
            route="PUT /api/vendor/inventory/{product_id}",
            id="setLevel",
            summary="Set a stock level to what was counted",
            description="409 unless the level still is `expected_on_hand`.",
            body=LevelBody,
            answers=_LEVEL,
            errors=(409,),
        ),
        Operation(
            route="PUT /api/vendor/inventory/{product_id}/threshold",
            id="setThreshold",
            summary="Say at which level a product is low",
            body=ThresholdBody,
            answers=_LEVEL,
        ),
        Operation(
            route="GET /api/vendor/inventory/{product_id}/movements",
            id="listMovements",
            summary="List the movements of a level",
            query=PageQuery,
            answers={200: Answer(Page[MovementShown], "A page of movements, newest first.")},
        ),
        Operation(
            route="GET /api/vendor/inventory-defaults",
            id="readOwnThreshold",
            summary="Read your default threshold",
            answers={200: Answer(DefaultsShown, "Yours, and the marketplace's.")},
        ),
        Operation(
            route="PUT /api/vendor/inventory-defaults",
            id="setOwnThreshold",
            summary="Set your default threshold",
            body=ThresholdBody,
            answers={200: Answer(DefaultsShown, "Yours, and the marketplace's.")},
        ),
        Operation(
            route="GET /api/admin/inventory-defaults",
            id="readMarketplaceThreshold",
            summary="Read the marketplace's default threshold",
            answers={200: Answer(MarketplaceDefaultShown, "The threshold.")},
        ),
        Operation(
            route="PUT /api/admin/inventory-defaults",
            id="setMarketplaceThreshold",
            summary="Set the marketplace's default threshold",
            body=MarketplaceThresholdBody,
            answers={200: Answer(MarketplaceDefaultShown, "The threshold.")},
        ),
    ),
)
