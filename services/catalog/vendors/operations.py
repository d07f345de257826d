"""What the addresses of vendors promise."""

from typing import Final

from services.catalog.vendors.schemas import (
    AddMember,
    ChangeMember,
    ChangeVendor,
    CreateVendor,
    Decision,
    MemberShown,
    MemberWithPassword,
    VendorForAdmins,
    VendorShown,
    VendorsQuery,
)
from shared.web.operations import Answer, Group, Listed, Operation, Page

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

MEMBERS: Final = Group(
    "Members",
    "The people who act for a vendor. All see who they are; owners let them in and out.",
    (
        Operation(
            route="GET /api/vendor/members",
            id="listMembers",
            summary="List who acts for your vendor",
            answers={200: Answer(Listed[MemberShown], "All of them, the longest there first.")},
        ),
        Operation(
            route="POST /api/vendor/members",
            id="addMember",
            summary="Let someone act for your vendor",
            description="Hand them the one-time password: it lasts seven days, and with it they can only choose their "
            "own. It is in this answer and in no other.",
            body=AddMember,
            answers={201: Answer(MemberWithPassword, "The member.")},
            has_version=True,
            is_creating=True,
            errors=(409,),
        ),
        Operation(
            route="PATCH /api/vendor/members/{id}",
            id="changeMember",
            summary="Make a member an owner, or an owner a member",
            body=ChangeMember,
            answers={200: Answer(MemberShown, "The member as it is now.")},
            has_version=True,
            needs_version=True,
            errors=(409,),
        ),
        Operation(
            route="DELETE /api/vendor/members/{id}",
            id="removeMember",
            summary="Let someone act for your vendor no more",
            description="Their sessions and API keys end with it. The last owner stays.",
            answers={204: Answer(description="They are out.")},
            errors=(409,),
        ),
        Operation(
            route="POST /api/vendor/members/{id}/one-time-password",
            id="renewMemberPassword",
            summary="Give a member who lost theirs another password",
            description="Ends their sessions. It is in this answer and in no other.",
            answers={200: Answer(MemberWithPassword, "The member with the password.")},
            has_version=True,
        ),
    ),
)
