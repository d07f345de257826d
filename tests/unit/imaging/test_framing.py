"""What the parent makes of a child's answers."""

import json

import pytest

from services.imaging.framing import (
    ProtocolBroken,
    content_sizes,
    header_and_contents,
    parse_header,
    rendered_from,
)
from services.imaging.models import Format, Rendered, RenderedFile


def test_a_result_survives_the_way_and_shared_content_is_sent_once() -> None:
    files = tuple(RenderedFile(preset, Format.WEBP, 20, 10, b"same") for preset in ("page", "zoom"))
    rendered = Rendered("jpg", 20, 10, "data:,", (*files, RenderedFile("card", Format.JPEG, 10, 5, b"other")))
    header, contents = header_and_contents(rendered)
    assert contents == [b"same", b"other"]
    received = parse_header(json.dumps(header).encode())
    assert content_sizes(received) == [4, 5]
    assert rendered_from(received, contents) == rendered


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff", b"[]", b"{}", b'{"sizes": 3}', b'{"sizes": [-1]}', b'{"sizes": ["1"]}', b'{"sizes": [99999999999]}'],
)
def test_anything_else_breaks_the_protocol(raw: bytes) -> None:
    with pytest.raises(ProtocolBroken):
        content_sizes(parse_header(raw))


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"rendered": ["jpg", 1, 1, ""], "files": [["card", "exe", 1, 1, 0]]},
        {"rendered": ["jpg", 1, 1, ""], "files": [["card", "webp", 1, 1, 7]]},
        {"rendered": ["jpg", 1], "files": []},
    ],
)
def test_a_header_that_describes_no_renditions_breaks_the_protocol(header: dict[str, object]) -> None:
    with pytest.raises(ProtocolBroken):
        rendered_from(header, [b"content"])
