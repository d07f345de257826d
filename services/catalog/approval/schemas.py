"""What is sent to the addresses of approval."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from typing_extensions import TypedDict

from services.catalog.approval.models import REASON_TEXTS, ReasonCode
from services.catalog.products.models import Status
from shared.contracts.base import Reason
from shared.web.bodies import Body
from shared.web.paging import PageQuery

Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]


class ReasonBody(Body):
    """A code of the list, and what the admin adds."""

    code: ReasonCode
    note: Note = ""

    def reason(self) -> Reason:
        """The same as the events carry it."""
        return Reason(code=self.code.value, note=self.note)


Reasons = Annotated[list[ReasonBody], Field(max_length=len(ReasonCode))]


class RejectBody(Body):
    """Why: at least one reason."""

    reasons: Annotated[Reasons, Field(min_length=1)]


class DecisionBody(Body):
    """Either decision, in the one-address form."""

    product_id: UUID
    action: Literal["approve", "reject"]
    reasons: Reasons = Field(default_factory=list)

    @model_validator(mode="after")
    def _reasons_fit(self) -> "DecisionBody":
        if self.action == "reject" and not self.reasons:
            raise ValueError("a rejection has at least one reason")
        if self.action == "approve" and self.reasons:
            raise ValueError("an approval has no reasons")
        return self


class ReasonText(TypedDict):
    """A code, and how people are told of it."""

    code: ReasonCode
    text: str


class SuspendBody(Body):
    """What the vendor is told."""

    note: Note = ""


class AdminListQuery(PageQuery):
    """Everybody's products of one status."""

    status: Status = Status.PENDING


def reason_texts() -> list[ReasonText]:
    """Every code there is."""
    return [{"code": code, "text": text} for code, text in REASON_TEXTS.items()]
