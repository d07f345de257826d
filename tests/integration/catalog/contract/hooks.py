"""What schemathesis is told beside the document. It runs in a process of its own and imports this."""

import os
from typing import Any
from uuid import uuid4

import schemathesis

KEPT = {"revokeApiKey", "suspendVendor"}
"""Operations that would take the caller's own key or shop away, and end all talk."""
OWN = set(os.environ["OWN_IDS"].split())  # noqa: TID251 - set by the test


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], __: Any) -> None:
    """Let them miss."""
    if case.operation.definition.raw.get("operationId") in KEPT and case.path_parameters.get("id") in OWN:
        case.path_parameters["id"] = str(uuid4())


@schemathesis.hook
def map_body(_: schemathesis.HookContext, body: Any) -> Any:
    """Write integers as such: JSON Schema takes 5.0 for one, strict bodies do not."""
    return whole(body)


def whole(value: Any) -> Any:
    """Without fractions that are none."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: whole(inner) for name, inner in value.items()}
        case list():
            return [whole(inner) for inner in value]
        case _:
            return value
