"""What the addresses of vendors promise."""

from typing import Final

from services.catalog.vendors.schemas import (
    ChangeVendor,
    CreateVendor,
    Decision,
    VendorForAdmins,
    VendorShown,
    VendorsQuery,
)
from shared.web.operations import Answer, Group, Operation, Page

_CHANGED: Final = {200: Answer(VendorForAdmins, "The vendor as it is now.")}

VENDORS: Final = Group(
    "Vendors",
    "Who sells.",
    (
        Operation(
            route="GET /api/vendors/{id}",
            id="readVendor",
            summary="Read a vendor's page",
            description="By its id or its slug.",
            path={"id": str},
            answers={200: Answer(VendorShown, "The vendor.")},
            is_conditional=True,
            has_version=True,
        ),
        Operation(
            route="GET /api/admin/vendors",
            id="listVendors",
            summary="List all vendors",
            query=VendorsQuery,
            answers={200: Answer(Page[VendorForAdmins], "A page of vendors, newest first.")},
        ),
        Operation(
            route="POST /api/admin/vendors",
            id="createVendor",
            summary="Let a vendor in",
            description="With the first account that signs in for it.",
            body=CreateVendor,
            answers={201: Answer(VendorForAdmins, "The vendor.", headers=("Location",))},
            has_version=True,
            is_creating=True,
            errors=(409,),
        ),
        Operation(
            route="GET /api/admin/vendors/{id}",
            id="readAnyVendor",
            summary="Read a vendor",
            answers={200: Answer(VendorForAdmins, "The vendor.")},
            has_version=True,
            is_conditional=True,
        ),
        Operation(
            route="PATCH /api/admin/vendors/{id}",
            id="changeVendor",
            summary="Change a vendor",
            body=ChangeVendor,
            answers=_CHANGED,
            has_version=True,
            needs_version=True,
            errors=(409,),
        ),
        Operation(
            route="POST /api/admin/vendors/{id}/suspend",
            id="suspendVendor",
            summary="Suspend a vendor",
            description="None of its products is shown while it is suspended.",
            body=Decision,
            is_body_optional=True,
            answers=_CHANGED,
            has_version=True,
            errors=(409,),
        ),
        Operation(
            route="POST /api/admin/vendors/{id}/reinstate",
            id="reinstateVendor",
            summary="Let a suspended vendor sell again",
            body=Decision,
            is_body_optional=True,
            answers=_CHANGED,
            has_version=True,
            errors=(409,),
        ),
    ),
)
