"""The OpenAPI document of the gateway, made of what every service promises of its routes and of who may call them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import CoreSchema

from deploy.examples import example_of
from services.catalog.access import ACCESS, Access
from services.catalog.operations import GROUPS as CATALOG
from services.jobs.operations import DEAD_LETTERS, JOBS
from services.notifier.operations import NOTIFICATIONS
from services.reporting.operations import REPORTS
from services.scheduler.operations import SCHEDULES
from shared.version import VERSION
from shared.web.operations import JSON, Answer, Group, Operation
from shared.web.problems import PROBLEM_TYPE, Problem

Json = dict[str, Any]

GROUPS: Final[Sequence[Group]] = (*CATALOG, NOTIFICATIONS, REPORTS, JOBS, DEAD_LETTERS, SCHEDULES)
DOCUMENTED: Final = ("/api/", "/hooks/", "/media/")
"""What stands under these is the API; the rest are pages, and addresses between services."""
SAFE: Final = frozenset({"GET", "HEAD"})

ABOUT: Final = """\
Everything of a multi-vendor marketplace's catalogue. What holds for every address: errors are \
`application/problem+json` with a stable `type`; bodies are strict, and wrong ones are answered with JSON pointers; \
times are RFC 3339 in UTC, money is in minor units, ids are UUIDs; lists are read page by page with `next`, also in \
`Link`; every answer has an `X-Request-Id`, which may be given, and says in `RateLimit` what is left of a share.
"""
ERRORS: Final[Mapping[int, str]] = {
    400: "The request cannot be read: no HTTP, no JSON, no UTF-8.",
    401: "There is no key or session, or it holds no more.",
    403: "The role or the key's scope does not reach this far, or the CSRF token is missing.",
    404: "There is no such thing, or it is somebody else's.",
    408: "The body did not come in time.",
    409: "What it is about is in another state, or somebody was faster; read it again and decide.",
    412: "`If-Match` names an older version; read it again.",
    413: "The body is too large.",
    415: "The body is of a media type, charset or coding that is not taken here.",
    422: "The body or a parameter does not fit; `errors` points at what.",
    428: "`If-Match` is missing: send the ETag of what you read.",
    429: "The share is used up; `Retry-After` says when there is more.",
    500: "An error nobody thought of; it is logged under the request id.",
    503: "Something behind it is away or there is too much to do; the same may work after `Retry-After`.",
}
HEADERS: Final[Mapping[str, Json]] = {
    "ETag": {"description": "The version of what is shown, for `If-None-Match` and `If-Match`."},
    "Location": {"description": "The address of what was made."},
    "Link": {"description": 'The next page: `<address>; rel="next"`. Missing on the last.'},
    "Idempotent-Replayed": {"description": "`true`: nothing was made, this was done before."},
    "Retry-After": {"description": "Seconds to wait."},
}
PARAMETERS: Final[Mapping[str, Json]] = {
    "Idempotency-Key": {
        "description": "1 to 200 printable characters, new for each new thing: sent again within 24 hours it makes "
        "nothing twice. While the first is in hand it is 409, with another body 422.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    },
    "If-Match": {
        "description": "The ETag that was read.",
        "schema": {"type": "string", "pattern": r'^(W/)?"[0-9]{1,9}(\.[0-9]{1,18})*"$'},
    },
    "If-None-Match": {
        "description": "The ETag of what the caller has; 304 when it is still so.",
        "schema": {"type": "string"},
    },
}
SECURITY: Final[Mapping[str, Json]] = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer souk_<prefix>_<secret>`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "souk_session",
        "description": "For browsers, from `POST /api/auth/login`.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "A session's token, from `GET /api/me`; needed with the cookie to change anything.",
    },
}


def openapi() -> Json:
    """The document. Raises `ValueError` if two operations have one id."""
    operations = [(group, operation) for group in GROUPS for operation in group.operations]
    _require_unique([operation.id for _, operation in operations])
    schemas = _Schemas([operation for _, operation in operations])
    paths: Json = {}
    for group, operation in operations:
        access = ACCESS[(operation.method, operation.at)]
        paths.setdefault(operation.at, {})[operation.method.lower()] = _operation(group, operation, access, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Souk", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": group.name, "description": group.description} for group in GROUPS],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "responses": {_error_name(status): _error(status, text) for status, text in ERRORS.items()},
            "parameters": {
                name: {"name": name, "in": "header", "required": name == "If-Match", **rest}
                for name, rest in PARAMETERS.items()
            },
            "headers": {name: {"schema": {"type": "string"}, **rest} for name, rest in HEADERS.items()},
            "securitySchemes": SECURITY,
        },
    }


def _require_unique(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"one operation id for two routes: {', '.join(twice)}")


def _operation(group: Group, operation: Operation, access: Access, schemas: "_Schemas") -> Json:
    described: Json = {
        "operationId": operation.id,
        "tags": [group.name],
        "summary": operation.summary,
    }
    if operation.description:
        described["description"] = operation.description
    described["x-roles"] = ["public"] if access.is_public else sorted(access.roles)
    described["security"] = _security(operation, access)
    if parameters := [*_parameters(operation, schemas)]:
        described["parameters"] = parameters
    if body := _body(operation, schemas):
        described["requestBody"] = body
    described["responses"] = _responses(operation, access, schemas)
    return described


def _security(operation: Operation, access: Access) -> list[Json]:
    if access.is_public:
        return []
    with_cookie: Json = {"session": []} if operation.method in SAFE else {"session": [], "csrf": []}
    return [{"apiKey": []}, with_cookie]


def _parameters(operation: Operation, schemas: "_Schemas") -> Iterator[Json]:
    for name in re.findall(r"{(\w+)", operation.at):
        yield {"name": name, "in": "path", "required": True, "schema": schemas.of(operation, f"path {name}")}
    for kind, key in (("query", "query"), ("header", "headers")):
        if getattr(operation, key) is not None:
            yield from _model_parameters(kind, schemas.of(operation, key))
    if operation.is_creating:
        yield _parameter("Idempotency-Key")
    if operation.needs_version:
        yield _parameter("If-Match")
    if operation.is_conditional:
        yield _parameter("If-None-Match")


def _parameter(name: str) -> Json:
    return {"$ref": f"#/components/parameters/{name}"}


def _model_parameters(kind: str, model: Json) -> Iterator[Json]:
    required = model.get("required", ())
    for name, schema in model["properties"].items():
        schema = _without_null(schema)
        description = schema.pop("description", None)
        yield {
            "name": name,
            "in": kind,
            "required": name in required,
            **({"description": description} if description else {}),
            "schema": schema,
        }


def _without_null(schema: Json) -> Json:
    """A parameter is left out, never null."""
    schema = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    ways = [way for way in schema.get("anyOf", ()) if way != {"type": "null"}]
    if len(ways) != 1:
        return schema
    del schema["anyOf"]
    return {**ways[0], **schema}


def _body(operation: Operation, schemas: "_Schemas") -> Json | None:
    content = {media_type: schemas.content(operation, key) for media_type, key in _bodies(operation)}
    return {"required": not operation.is_body_optional, "content": content} if content else None


def _bodies(operation: Operation) -> Iterator[tuple[str, str]]:
    if operation.body is not None:
        yield JSON, f"body {JSON}"
    for media_type in operation.body_types:
        yield media_type, f"body {media_type}"


def _responses(operation: Operation, access: Access, schemas: "_Schemas") -> Json:
    good = {str(status): _good(operation, status, answer, schemas) for status, answer in operation.answers.items()}
    if operation.is_conditional:
        good["304"] = {"description": "It is still as it was.", "headers": {"ETag": _header("ETag")}}
    bad = {
        str(status): {"$ref": f"#/components/responses/{_error_name(status)}"} for status in _errors(operation, access)
    }
    return dict(sorted({**good, **bad}.items()))


def _good(operation: Operation, status: int, answer: Answer, schemas: "_Schemas") -> Json:
    names = {*answer.headers}
    if answer.model is not None and (operation.has_version or operation.is_conditional):
        names.add("ETag")
    if operation.is_creating:
        names.add("Idempotent-Replayed")
    if operation.query is not None and "cursor" in operation.query.model_fields:
        names.add("Link")
    described: Json = {"description": answer.description}
    if names:
        described["headers"] = {name: _header(name) for name in sorted(names)}
    if answer.model is not None:
        content = schemas.content(operation, f"answer {status}")
        described["content"] = dict.fromkeys(answer.media_types, content)
    return described


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _errors(operation: Operation, access: Access) -> list[int]:
    """What follows from an operation's kind, and what it adds."""
    found = {400, 429, 500, 503, *operation.errors}
    if not access.is_public:
        found |= {401, 403}
    if "{" in operation.at:
        found.add(404)
    if operation.query is not None:
        found.add(422)
    if any(_bodies(operation)):
        found |= {408, 413, 415, 422}
    if operation.is_creating:
        found |= {409, 422}
    if operation.needs_version:
        found |= {412, 428}
    return sorted(found)


def _error(status: int, text: str) -> Json:
    example = {
        "type": f"urn:souk:problem:{HTTPStatus(status).phrase.lower().replace(' ', '_')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": text,
        "instance": "/api/vendor/products",
        "request_id": "019c1d3a-7f00-7000-8000-00000000000a",
    }
    described: Json = {
        "description": text,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }
    if status in (429, 503):
        described["headers"] = {"Retry-After": _header("Retry-After")}
    return described


def _error_name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")


class _Untitled(GenerateJsonSchema):
    """Without titles that repeat the fields' names."""

    def field_title_should_be_set(self, schema: CoreSchema | Any) -> bool:
        return False


class _Schemas:
    """The schemas of everything that operations name, generated together so that what they share is said once."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        wanted = [(key, mode, TypeAdapter(kind)) for one in operations for key, mode, kind in _types(one)]
        wanted.append((("", "problem"), "serialization", TypeAdapter(Problem)))
        found, defined = TypeAdapter.json_schemas(
            wanted, ref_template="#/components/schemas/{model}", schema_generator=_Untitled
        )
        names = _names(defined["$defs"])
        self._found = {key: _renamed(schema, names) for (key, _), schema in found.items()}
        everything = {names[name]: _renamed(schema, names) for name, schema in defined["$defs"].items()}
        parameters = set()  # their fields stand among the parameters of their operations
        for (identifier, key), schema in self._found.items():
            if key in ("query", "headers"):
                name = schema["$ref"].rpartition("/")[2]
                self._found[(identifier, key)] = everything[name]
                parameters.add(name)
        self.definitions: Json = {name: everything[name] for name in sorted(everything) if name not in parameters}

    def of(self, operation: Operation, key: str) -> Json:
        """The schema of one thing an operation names."""
        schema: Json = self._found[(operation.id, key)]
        return schema

    def content(self, operation: Operation, key: str) -> Json:
        """A media type's schema with an example of it."""
        schema = self.of(operation, key)
        if schema.get("format") == "binary":
            return {"schema": {}}
        return {"schema": schema, "example": example_of(schema, self.definitions)}


def _types(operation: Operation) -> Iterator[tuple[tuple[str, str], JsonSchemaMode, Any]]:
    for name in re.findall(r"{(\w+)", operation.at):
        yield (operation.id, f"path {name}"), "validation", operation.path_type(name)
    for key in ("query", "headers"):
        if getattr(operation, key) is not None:
            yield (operation.id, key), "validation", getattr(operation, key)
    if operation.body is not None:
        yield (operation.id, f"body {JSON}"), "validation", operation.body
    for media_type, kind in operation.body_types.items():
        yield (operation.id, f"body {media_type}"), "validation", kind
    for status, answer in operation.answers.items():
        if answer.model is not None:
            yield (operation.id, f"answer {status}"), "serialization", answer.model


def _names(definitions: Mapping[str, Json]) -> dict[str, str]:
    """Better names: `OwnProductPage`, and the feature's before a name that two features use. Raises `ValueError`."""
    names = {name: _name(name) for name in definitions}
    _require_unique([*names.values()])
    return names


def _name(given: str) -> str:
    generic = re.fullmatch(r"(Page|Listed)_(\w+)_", given)
    if generic is not None:
        return _name(generic[2]) + ("Page" if generic[1] == "Page" else "List")
    if "__" not in given:
        return given
    *_, feature, _, name = given.split("__")  # services__catalog__products__models__Status
    return feature.replace("_", " ").title().replace(" ", "") + name


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    match value:
        case {"$ref": str(reference)}:
            place, _, name = reference.rpartition("/")
            return {**value, "$ref": f"{place}/{names[name]}"}
        case dict():
            return {key: _renamed(inner, names) for key, inner in value.items()}
        case list():
            return [_renamed(inner, names) for inner in value]
        case _:
            return value
