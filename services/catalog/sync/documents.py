"""Reading a vendor's document: strictly row by row, and never more of it than is reasonable. Pure."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from services.catalog.inventory.models import MAX_PIECES
from services.catalog.sync.errors import Unreadable
from services.catalog.sync.models import MICROSECONDS, Document, Format, Layout, Row, RowError, micros
from shared.web.bodies import EARLIEST, LATEST

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_ROWS: Final = 100_000
MAX_DEPTH: Final = 16
MAX_VALUES: Final = 1_000_000
"""Lists, objects and strings of a JSON document together, about: each costs many times its bytes in memory."""
MAX_SKU_CHARS: Final = 100
_MAX_VERSION: Final = 2**62
_CLOCKS_DIFFER: Final = 24 * 3600 * MICROSECONDS
_WHOLE: Final = re.compile(r"[0-9]{1,10}(?:\.0{1,4})?")
_DIGITS: Final = re.compile(r"[0-9]{1,19}")


def read(body: bytes, form: Format, layout: Layout, *, fallback: int) -> Document:
    """The rows of a document; `fallback` is the version of rows where the layout names none.

    Raises `Unreadable` for what is no such document, is too large, or has no row that can be used.
    """
    if len(body) > MAX_BYTES:
        raise Unreadable(f"The document has more than {MAX_BYTES:,} bytes.")
    found = _json_rows(body, layout) if form is Format.JSON else _csv_rows(body, layout)
    rows: list[Row] = []
    errors: list[RowError] = []
    for place, values in enumerate(found, 1):
        if place > MAX_ROWS:
            raise Unreadable(f"The document has more than {MAX_ROWS:,} rows.")
        try:
            rows.append(_row(place, values, layout, fallback))
        except _Wrong as wrong:
            errors.append(RowError(place, wrong.code, wrong.detail))
    if errors and not rows:
        raise Unreadable(f"None of the {len(errors):,} rows can be used; the first: {errors[0].detail}.")
    return Document(rows, errors)


class _Wrong(Exception):
    """One row that cannot be used."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


Values = tuple[Any, Any, Any]
"""SKU, quantity and version as the document has them."""


def _json_rows(body: bytes, layout: Layout) -> Iterator[Values]:
    if body.count(b"[") + body.count(b"{") + body.count(b'"') // 2 > MAX_VALUES:
        raise Unreadable(f"The document has more than {MAX_VALUES:,} values.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as exc:  # also for what is nested deeper than the parser goes
        raise Unreadable(f"The document is not JSON: {exc}.") from exc
    _check_depth(value)
    items = _at(value, layout.items)
    if not isinstance(items, list):
        raise Unreadable(f"At {layout.items or 'the top'!r} there is no list.")
    keys = tuple(None if name is None else _pointer(name) for name in (layout.sku, layout.quantity, layout.version))
    for item in items:
        sku, quantity, version = (None if key is None else _at(item, key) for key in keys)
        yield sku, quantity, version


def _check_depth(value: Any) -> None:
    """Level by level; there are not many values, and a level is looked at once."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise Unreadable(f"The document is nested deeper than {MAX_DEPTH} levels.")


def _inside(value: Any) -> list[Any]:
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [inner for inner in values if isinstance(inner, dict | list)]


def _pointer(name: str) -> str:
    """A key is the pointer of itself."""
    return name if name.startswith("/") else "/" + name.replace("~", "~0").replace("/", "~1")


def _at(value: Any, pointer: str) -> Any:
    """What an RFC 6901 pointer through objects leads to; None if there is nothing."""
    for part in pointer.split("/")[1:]:
        if not isinstance(value, Mapping):
            return None
        value = value.get(part.replace("~1", "/").replace("~0", "~"))
    return value


def _csv_rows(body: bytes, layout: Layout) -> Iterator[Values]:
    try:
        lines = io.StringIO(body.decode("utf-8-sig"), newline="")
        reader = csv.reader(lines, delimiter=layout.delimiter, strict=True)
        header = [name.strip() for name in next(reader, [])]
        names = (layout.sku, layout.quantity, layout.version)
        columns = [None if name is None else _column(header, name) for name in names]
        for cells in reader:
            if cells:
                sku, quantity, version = (
                    None if column is None or column >= len(cells) else cells[column].strip() for column in columns
                )
                yield sku, quantity, version
    except UnicodeDecodeError as exc:
        raise Unreadable("The file is not UTF-8.") from exc
    except csv.Error as exc:
        raise Unreadable(f"The file is not CSV: {exc}.") from exc


def _column(header: Sequence[str], name: str) -> int:
    if header.count(name) != 1:
        raise Unreadable(f"The header has {header.count(name) or 'no'} column(s) named {name!r}.")
    return header.index(name)


def _row(place: int, values: Values, layout: Layout, fallback: int) -> Row:
    sku, quantity, version = values
    return Row(
        place,
        _sku(sku),
        _quantity(quantity),
        fallback if layout.version is None else _version(version, latest=fallback + _CLOCKS_DIFFER),
    )


def _sku(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_SKU_CHARS or not text.isprintable():
        raise _Wrong("invalid_sku", f"a SKU is 1 to {MAX_SKU_CHARS} printable characters")
    return text


def _quantity(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    elif isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value.partition(".")[0])
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_PIECES:
        raise _Wrong("invalid_quantity", f"a quantity is a whole number from 0 to {MAX_PIECES:,}")
    return value


def _version(value: Any, *, latest: int) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, str):
        return _time(value, latest)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MAX_VERSION:
        raise _Wrong("invalid_version", "a version is a whole number, or a time as in RFC 3339")
    return value


def _time(text: str, latest: int) -> int:
    """A time of the future would keep every later row out until it has come."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise _Wrong("invalid_version", "a version is a whole number, or a time as in RFC 3339") from exc
    if moment.tzinfo is None:
        raise _Wrong("invalid_version", "a time needs its zone, such as Z")
    if not EARLIEST <= moment < LATEST or micros(moment) > latest:
        raise _Wrong("invalid_version", "a time is from 1970 to a day ahead")
    return micros(moment)
