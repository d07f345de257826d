"""What differs between a product as it is and as it would be. No I/O."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from services.catalog.products.models import Picture, Product

MOST_WORDS: Final = 3000
"""Of both texts together: beyond it whole lines are compared, for comparing words takes time in the square."""
_WORDS: Final = re.compile(r"\s+|\w+|[^\w\s]")

Marked = Sequence[tuple[str, bool]]
"""A text in pieces, each with whether the other text lacks it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that would change, as it is and as it would be."""

    name: str
    before: Marked
    after: Marked


def differences(product: Product, shelves: Mapping[str, str]) -> list[Difference]:
    """The texts that would change with what is proposed."""
    wanted, found = product.proposed, []
    if wanted is None:
        return []
    content = wanted.content
    if content.title is not None:
        found.append(Difference("Title", *compared(product.title, content.title)))
    if content.category is not None:
        before, after = (shelves.get(slug, slug) for slug in (product.category, content.category))
        found.append(Difference("Shelf", [(before, True)], [(after, True)]))
    if content.description is not None:
        found.append(Difference("Description", *compared(product.description, content.description)))
    if content.attributes is not None:
        found.append(Difference("Details", *compared(listed(product.attributes), listed(content.attributes))))
    return found


def compared(before: str, after: str) -> tuple[Marked, Marked]:
    """Both texts with what the other has not: `a red bowl`, `a blue bowl` mark `red` and `blue`."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if len(old) + len(new) > MOST_WORDS:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    for kind, begin, end, their_begin, their_end in difflib.SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        left.append(("".join(old[begin:end]), kind != "equal"))
        right.append(("".join(new[their_begin:their_end]), kind != "equal"))
    return [piece for piece in left if piece[0]], [piece for piece in right if piece[0]]


def listed(attributes: Mapping[str, JsonValue]) -> str:
    """Attributes one a line, as a person writes them."""
    return "\n".join(f"{name}: {typed(value)}" for name, value in attributes.items())


def typed(value: JsonValue) -> str:
    """An attribute's value as a person writes it."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def all_pictures(product: Product) -> list[tuple[Picture, str]]:
    """The pictures as they are and as they would be, each with what would become of it."""
    live, wanted = {one.id for one in product.pictures}, {one.id for one in product.proposed_pictures}
    leaving = [(one, "leaves") for one in product.pictures if one.id not in wanted]
    return [*((one, "" if one.id in live else "comes") for one in product.proposed_pictures), *leaving]
