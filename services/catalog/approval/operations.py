"""What the addresses of approval promise."""

from typing import Annotated, Final

from pydantic import BaseModel, Field

from services.catalog.approval.schemas import AdminListQuery, DecisionBody, ReasonText, RejectBody, SuspendBody
from services.catalog.products.schemas import OwnProduct
from shared.web.operations import Answer, Group, Listed, Operation, Page
from shared.web.paging import PageQuery


class LookedAt(BaseModel):
    """What a decision is about."""

    version: Annotated[
        str | None, Field(alias="If-Match", description="The ETag of what you looked at; another one by now is 412.")
    ] = None


_DECIDED: Final = {200: Answer(OwnProduct, "The product as it is now.")}

APPROVAL: Final = Group(
    "Approval",
    "Admins decide about products. Of two who decide at once the first wins, the other gets 409.",
    (
        Operation(
            route="GET /api/admin/products",
            id="listProductsByStatus",
            summary="List everybody's products of one status",
            query=AdminListQuery,
            answers={200: Answer(Page[OwnProduct], "A page of products, newest first.")},
        ),
        Operation(
            route="GET /api/admin/products/{id}",
            id="readAnyProduct",
            summary="Read anybody's product",
            answers={200: Answer(OwnProduct, "The product.")},
            has_version=True,
            is_conditional=True,
        ),
        Operation(
            route="GET /api/admin/proposals",
            id="listProposals",
            summary="List what vendors would change of approved products",
            description="Each product as it is, with how it would be in `proposed`.",
            query=PageQuery,
            answers={200: Answer(Page[OwnProduct], "A page of products, what was proposed last first.")},
        ),
        Operation(
            route="GET /api/admin/rejection-reasons",
            id="listRejectionReasons",
            summary="List the codes of reasons for a rejection",
            answers={200: Answer(Listed[ReasonText], "All of them.")},
        ),
        Operation(
            route="POST /api/admin/approve-product",
            id="decideProduct",
            summary="Approve or reject a product named in the body",
            headers=LookedAt,
            body=DecisionBody,
            answers=_DECIDED,
            has_version=True,
            errors=(404, 409, 412),
        ),
        Operation(
            route="POST /api/admin/products/{id}/approve",
            id="approveProduct",
            summary="Approve a pending product, or what is proposed of an approved one",
            description="A proposal that was changed since it was announced is approved with `If-Match` only.",
            headers=LookedAt,
            answers=_DECIDED,
            has_version=True,
            errors=(409, 412),
        ),
        Operation(
            route="POST /api/admin/products/{id}/reject",
            id="rejectProduct",
            summary="Reject a pending product, or what is proposed of an approved one",
            description="The vendor is told why and how to submit it again. An approved product stays as it is.",
            headers=LookedAt,
            body=RejectBody,
            answers=_DECIDED,
            has_version=True,
            errors=(409, 412),
        ),
        Operation(
            route="POST /api/admin/products/{id}/suspend",
            id="suspendProduct",
            summary="Take an approved product out of sight",
            body=SuspendBody,
            is_body_optional=True,
            answers=_DECIDED,
            has_version=True,
            errors=(409,),
        ),
        Operation(
            route="POST /api/admin/products/{id}/reinstate",
            id="reinstateProduct",
            summary="Show a suspended product again",
            answers=_DECIDED,
            has_version=True,
            errors=(409,),
        ),
    ),
)
