"""What a proposal holds. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from pydantic import JsonValue

T = TypeVar("T")


class ProposalStatus(StrEnum):
    """How far a proposal is. An approved or withdrawn one is none any more."""

    PENDING = "pending"
    REJECTED = "rejected"
    """With reasons; its vendor changes it, which proposes it again, or withdraws it."""


@dataclass(frozen=True, slots=True)
class Content:
    """What an admin decides about; None is what is not to change."""

    title: str | None = None
    description: str | None = None
    category: str | None = None
    attributes: Mapping[str, JsonValue] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What is to change."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is not None)

    def then(self, later: "Content", *, live: "Content") -> "Content":
        """This and what was said later; what comes out as it is `live` is no change."""
        return Content(
            title=_changed(self.title, later.title, live.title),
            description=_changed(self.description, later.description, live.description),
            category=_changed(self.category, later.category, live.category),
            attributes=_changed(self.attributes, later.attributes, live.attributes),
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """A product's proposal, but for its pictures.

    `id` is new each time it is put to the admins, `revision` counts from 1 since then.
    """

    id: UUID
    status: ProposalStatus
    content: Content
    reasons: tuple[Mapping[str, str], ...]
    revision: int
    proposed_at: datetime
    updated_at: datetime

    @property
    def is_pending(self) -> bool:
        """Whether admins are asked."""
        return self.status is ProposalStatus.PENDING


def _changed(earlier: T | None, later: T | None, live: T | None) -> T | None:
    wanted = earlier if later is None else later
    return None if wanted == live else wanted
