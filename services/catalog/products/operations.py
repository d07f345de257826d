"""What the addresses of products promise."""

from typing import Final

from services.catalog.products.schemas import (
    CatalogueProduct,
    CatalogueQuery,
    ChangesBody,
    OfferBody,
    OwnProduct,
    TimelineEntry,
    VendorListQuery,
)
from shared.web.operations import Answer, Group, Operation, Page
from shared.web.paging import PageQuery

CATALOGUE: Final = Group(
    "Catalogue",
    "What shoppers read: products that are approved, of vendors that are active. No key is needed.",
    (
        Operation(
            route="GET /api/products",
            id="listProducts",
            summary="List and search the catalogue",
            description="Newest first, or by price. `q` looks for a part of the title, capitals aside.",
            query=CatalogueQuery,
            answers={200: Answer(Page[CatalogueProduct], "A page of products.")},
            is_conditional=True,
        ),
        Operation(
            route="GET /api/products/{id}",
            id="readProduct",
            summary="Read a product",
            description="By its id or its slug.",
            path={"id": str},
            answers={200: Answer(CatalogueProduct, "The product.")},
            is_conditional=True,
            has_version=True,
        ),
    ),
)

PRODUCTS: Final = Group(
    "Products",
    "A vendor's own products, from draft to archive.",
    (
        Operation(
            route="POST /api/vendor/products",
            id="createProduct",
            summary="Offer a product",
            description="It waits for an admin's decision, or with `submit` false is a draft. Mails, notifications and "
            "pictures follow as jobs, listed at `jobs`.",
            body=OfferBody,
            answers={201: Answer(OwnProduct, "The product.", headers=("Location",))},
            has_version=True,
            is_creating=True,
            errors=(409,),
        ),
        Operation(
            route="GET /api/vendor/products",
            id="listOwnProducts",
            summary="List your products",
            query=VendorListQuery,
            answers={200: Answer(Page[OwnProduct], "A page of products, newest first.")},
        ),
        Operation(
            route="GET /api/vendor/products/{id}",
            id="readOwnProduct",
            summary="Read one of your products",
            answers={200: Answer(OwnProduct, "The product.")},
            has_version=True,
            is_conditional=True,
        ),
        Operation(
            route="PATCH /api/vendor/products/{id}",
            id="changeProduct",
            summary="Change a product",
            description="Fields left out stay. A pending product keeps its text until it is decided. Of an approved "
            "product the price applies at once; the rest waits for an admin as `proposed`.",
            body=ChangesBody,
            answers={200: Answer(OwnProduct, "The product as it is now.")},
            has_version=True,
            needs_version=True,
            errors=(409,),
        ),
        Operation(
            route="DELETE /api/vendor/products/{id}",
            id="deleteProduct",
            summary="Archive a product",
            description="Orders and reports still know it.",
            answers={204: Answer(description="It is archived.")},
            errors=(409,),
        ),
        *(
            Operation(
                route=f"POST /api/vendor/products/{{id}}/{action}",
                id=f"{action}Product",
                summary=summary,
                answers={200: Answer(OwnProduct, "The product as it is now.")},
                has_version=True,
                errors=(409,),
            )
            for action, summary in (
                ("submit", "Submit a draft, or a rejected product again"),
                ("withdraw", "Take a pending product back, or what is proposed of an approved one"),
                ("archive", "Archive a product"),
            )
        ),
        *(
            Operation(
                route=f"GET /api/{who}/products/{{id}}/timeline",
                id=name,
                summary="Read what happened to a product",
                query=PageQuery,
                answers={200: Answer(Page[TimelineEntry], "Its history, newest first.")},
            )
            for who, name in (("vendor", "readProductTimeline"), ("admin", "readProductTimelineForAdmins"))
        ),
    ),
)
