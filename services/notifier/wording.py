"""Words: making what people typed safe for one line, amounts, and what a rejection reason means to a vendor."""

import unicodedata
from typing import NamedTuple

from shared.currencies import minor_digits

_BREAKS = {"Cc", "Zl", "Zp"}
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that can make text read in another order than it is written: a title must not rearrange our sentence."""


class Explanation(NamedTuple):
    """A rejection reason in human words: what is wrong, and what would put it right."""

    what: str
    remedy: str


REASONS = {
    "incomplete": Explanation(
        "Information is missing",
        "Fill in what a buyer needs to decide: material, size, what is in the box, and care or safety notes.",
    ),
    "description": Explanation(
        "The description needs work",
        "Describe the product itself, in full sentences, without contact details or links to other shops.",
    ),
    "title": Explanation(
        "The title needs work",
        "Name the product, its brand and its model; leave out prices, capital letters and advertising.",
    ),
    "images": Explanation(
        "The pictures are not good enough",
        "Use sharp, well-lit pictures of at least 1000 pixels on the longer side that show the product you deliver.",
    ),
    "category": Explanation(
        "It is in the wrong category",
        "Choose the most specific category that fits; buyers filter by it.",
    ),
    "price": Explanation(
        "The price looks wrong",
        "Check the amount and the currency, and that the price is for one piece.",
    ),
    "duplicate": Explanation(
        "This product is already listed",
        "Change the existing product instead, or explain in the description how this one differs.",
    ),
    "misleading": Explanation(
        "It could mislead buyers",
        "Remove claims that cannot be shown to be true, and make text and pictures agree.",
    ),
    "rights": Explanation(
        "It may use someone else's brand or pictures",
        "Use your own pictures and text, or add proof that you may use theirs.",
    ),
    "prohibited": Explanation(
        "It may not be sold here",
        "This kind of product is excluded from the marketplace. If you think this is a mistake, answer the reviewer.",
    ),
    "other": Explanation("Something else needs to change", "See the reviewer's note."),
}
"""The marketplace's list of reason codes."""


def explain(code: str) -> Explanation:
    """What a reason code means. A code this version does not know is shown as words, so no letter fails for it."""
    return REASONS.get(code) or Explanation(one_line(code.replace("_", " ").replace("-", " ")).capitalize(), "")


def one_line(text: str) -> str:
    """`text` without line breaks, control characters and reordering marks, its white space collapsed.

    After it nothing can end a header or pretend to be the next line, whichever of the line ends Unicode knows.
    """
    kept = "".join(" " if unicodedata.category(c) in _BREAKS else c for c in text if c not in _REORDERING)
    return " ".join(kept.split())


def paragraphs(text: str) -> str:
    """`text` with its own lines kept (each made safe by `one_line`) and empty lines dropped."""
    return "\n".join(line for raw in text.splitlines() if (line := one_line(raw)))


def money(amount_minor: int, currency: str) -> str:
    """`(123456, "EUR")` as `EUR 1,234.56`."""
    digits = minor_digits(currency)
    major, minor = divmod(amount_minor, 10**digits)
    return f"{currency} {major:,}" + (f".{minor:0{digits}d}" if digits else "")
