"""Values of categories."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Category:
    """One shelf. Products name it by its slug."""

    slug: str
    name: str
