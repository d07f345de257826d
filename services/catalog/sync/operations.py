"""What the addresses of stock sources promise."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, Field

from services.catalog.sync.routes import AT, SIGNATURE_HEADER, TIMESTAMP_HEADER
from services.catalog.sync.schemas import (
    ChangeBody,
    NamedShown,
    NamedSkusBody,
    NamedSkuShown,
    RunInFull,
    RunShown,
    SourceBody,
    SourceShown,
    SourceWithSecret,
)
from shared.web.operations import Answer, Group, Operation, Page
from shared.web.paging import PageQuery


class PushHeaders(BaseModel):
    """How a push proves whose it is."""

    timestamp: Annotated[str, Field(alias=TIMESTAMP_HEADER, description="Seconds since 1970, at most 5 minutes off.")]
    signature: Annotated[
        str, Field(alias=SIGNATURE_HEADER, description="`v1=` and the HMAC-SHA256 in hex of `<timestamp>.<body>`.")
    ]


SOURCES: Final = Group(
    "Stock sources",
    "A vendor's own system says what is in stock: Souk pulls its document, or the system pushes it, signed.",
    (
        Operation(
            route=f"POST {AT}",
            id="createSource",
            summary="Add a stock source",
            description="The secret that pushes are signed with is in this answer and in no other.",
            body=SourceBody,
            answers={201: Answer(SourceWithSecret, "The source.", headers=("Location",))},
            has_version=True,
            is_creating=True,
            errors=(409,),
        ),
        Operation(
            route=f"GET {AT}",
            id="listSources",
            summary="List your stock sources",
            query=PageQuery,
            answers={200: Answer(Page[SourceShown], "A page of sources, newest first.")},
        ),
        Operation(
            route=f"GET {AT}/{{id}}",
            id="readSource",
            summary="Read a stock source",
            answers={200: Answer(SourceShown, "The source.")},
            has_version=True,
            is_conditional=True,
        ),
        Operation(
            route=f"PATCH {AT}/{{id}}",
            id="changeSource",
            summary="Change a stock source",
            body=ChangeBody,
            answers={200: Answer(SourceShown, "The source as it is now.")},
            has_version=True,
            needs_version=True,
            errors=(409,),
        ),
        Operation(
            route=f"DELETE {AT}/{{id}}",
            id="deleteSource",
            summary="Remove a stock source",
            answers={204: Answer(description="It is gone, with its runs.")},
        ),
        Operation(
            route=f"POST {AT}/{{id}}/secret",
            id="renewSourceSecret",
            summary="Make a new secret for a push",
            description="The old one holds no more. This answer is the only place to read the new one.",
            answers={200: Answer(SourceWithSecret, "The source with its new secret.")},
            has_version=True,
            errors=(409,),
        ),
        Operation(
            route=f"POST {AT}/{{id}}/run",
            id="runSource",
            summary="Pull a source now",
            answers={202: Answer(RunShown, "A worker follows.", headers=("Location",))},
            errors=(409,),
        ),
        Operation(
            route=f"GET {AT}/{{id}}/runs",
            id="listSourceRuns",
            summary="List a source's runs",
            query=PageQuery,
            answers={200: Answer(Page[RunShown], "A page of runs, newest first.")},
        ),
        Operation(
            route=f"GET {AT}/{{id}}/runs/{{run_id}}",
            id="readSourceRun",
            summary="Read a run with its errors",
            answers={200: Answer(RunInFull, "The run.")},
        ),
        Operation(
            route=f"GET {AT}/{{id}}/skus",
            id="listSourceNames",
            summary="List what a source calls your products",
            query=PageQuery,
            answers={200: Answer(Page[NamedSkuShown], "A page of names.")},
        ),
        Operation(
            route=f"PUT {AT}/{{id}}/skus",
            id="setSourceNames",
            summary="Set or forget up to 1,000 names",
            body=NamedSkusBody,
            answers={200: Answer(NamedShown, "How many were set.")},
        ),
        Operation(
            route="POST /hooks/inventory/{source}",
            id="pushInventory",
            summary="Push a stock document, signed",
            description="In the format and layout of its source. The same bytes again answer 200 with the same run.",
            path={"source": UUID},
            headers=PushHeaders,
            body_types={"application/json": dict[str, object] | list[object], "text/csv": str},
            answers={
                202: Answer(RunShown, "A worker follows."),
                200: Answer(RunShown, "These bytes came before.", headers=("Idempotent-Replayed",)),
            },
            errors=(401, 409),
        ),
    ),
)
