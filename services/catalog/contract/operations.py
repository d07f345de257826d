"""What the addresses of the contract promise."""

from typing import Any, Final

from shared.web.operations import Answer, Group, Operation

_DOCUMENT: Final = {200: Answer(dict[str, Any], "The document.")}

REFERENCE: Final = Group(
    "Reference",
    "This contract.",
    (
        Operation(
            route="GET /api/openapi.json",
            id="readOpenApi",
            summary="Read the contract of the HTTP API (OpenAPI 3.1)",
            answers=_DOCUMENT,
            is_conditional=True,
        ),
        Operation(
            route="GET /api/asyncapi.json",
            id="readAsyncApi",
            summary="Read the contract of the messages (AsyncAPI 3)",
            answers=_DOCUMENT,
            is_conditional=True,
        ),
        Operation(
            route="GET /api/docs",
            id="readReference",
            summary="Read the reference as a page",
            answers={200: Answer(str, "The page; it needs no scripts.", media_types=("text/html",))},
            is_conditional=True,
        ),
    ),
)
