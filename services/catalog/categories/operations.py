"""What the address of categories promises."""

from typing import Final

from services.catalog.categories.models import Category
from shared.web.operations import Answer, Group, Listed, Operation

CATEGORIES: Final = Group(
    "Categories",
    "The shelves of the catalogue.",
    (
        Operation(
            route="GET /api/categories",
            id="listCategories",
            summary="List the categories",
            answers={200: Answer(Listed[Category], "All of them, in their order.")},
        ),
    ),
)
