"""How the renderer and its child talk over pipes: a length, a JSON header, then the bytes the header announces.

JSON rather than pickle, because the child handles hostile files: whatever takes it over can send wrong pictures, but
nothing that runs in the parent.

    to the child      4 bytes length, the original
    from the child    4 bytes length, the header; then each file's content, in the header's order
    header            {"ready": true} once, after start-up, then one per original: {"rendered": …, "sizes": […]}
                      or {"refused": "invalid_image" | "image_too_large" | "failed", "detail": …}
"""

import json
from typing import Any, Final

from services.imaging.models import Format, Rendered, RenderedFile

LENGTH_BYTES: Final = 4
MAX_HEADER_BYTES: Final = 64_000
MAX_CONTENT_BYTES: Final = 60_000_000


class ProtocolBroken(Exception):
    """The child sent something else than the protocol: it is broken or taken over, and must be killed."""


def length_prefix(content: bytes) -> bytes:
    """The four bytes that go before `content`."""
    return len(content).to_bytes(LENGTH_BYTES, "big")


def header_and_contents(rendered: Rendered) -> tuple[dict[str, Any], list[bytes]]:
    """Take a result apart for the way back. A content that several files share is sent once."""
    contents: list[bytes] = []
    files = []
    for file in rendered.files:
        if file.content not in contents:
            contents.append(file.content)
        files.append([file.preset, file.format.value, file.width, file.height, contents.index(file.content)])
    header = {
        "rendered": [rendered.original_format, rendered.width, rendered.height, rendered.placeholder],
        "files": files,
        "sizes": [len(content) for content in contents],
    }
    return header, contents


def parse_header(raw: bytes) -> dict[str, Any]:
    """The header as a dictionary. Raises `ProtocolBroken`."""
    try:
        header = json.loads(raw)
    except ValueError as exc:
        raise ProtocolBroken("the header is no JSON") from exc
    if not isinstance(header, dict):
        raise ProtocolBroken("the header is no object")
    return header


def content_sizes(header: dict[str, Any]) -> list[int]:
    """How many bytes follow, piece by piece. Raises `ProtocolBroken` above what renditions can be."""
    sizes = header.get("sizes")
    if not isinstance(sizes, list) or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ProtocolBroken("sizes are missing")
    if sum(sizes) > MAX_CONTENT_BYTES:
        raise ProtocolBroken("more content than renditions can have")
    return sizes


def rendered_from(header: dict[str, Any], contents: list[bytes]) -> Rendered:
    """Put a result together again. Raises `ProtocolBroken`."""
    try:
        original_format, width, height, placeholder = header["rendered"]
        files = tuple(
            RenderedFile(str(preset), Format(form), int(file_width), int(file_height), contents[which])
            for preset, form, file_width, file_height, which in header["files"]
        )
        return Rendered(str(original_format), int(width), int(height), str(placeholder), files)
    except (KeyError, ValueError, TypeError, IndexError) as exc:
        raise ProtocolBroken("the header does not describe renditions") from exc
