"""What a picture file is, by its first bytes."""

from io import BytesIO

import pytest
from PIL import Image

from shared.picture_kinds import HEAD_BYTES, extension_of, sniff
from tests.pictures import photo


def _encoded(format_name: str) -> bytes:
    stream = BytesIO()
    Image.new("RGB", (20, 20), (200, 100, 50)).save(stream, format_name)
    return stream.getvalue()


@pytest.mark.parametrize(("format_name", "extension"), [("PNG", "png"), ("GIF", "gif"), ("WEBP", "webp")])
def test_pictures_are_known_by_their_first_bytes(format_name: str, extension: str) -> None:
    assert sniff(_encoded(format_name)[:HEAD_BYTES]) == format_name
    assert extension_of(format_name) == extension


def test_a_photo_is_a_jpeg() -> None:
    assert sniff(photo()[:HEAD_BYTES]) == "JPEG"
    assert extension_of("JPEG") == "jpg"


@pytest.mark.parametrize(
    "head",
    [b"", b"<svg xmlns=", b"<!doctype html>", b"%PDF-1.7", b"PK\x03\x04", b"II*\x00", b"RIFF0000WAVE", b"MZ\x90\x00"],
)
def test_everything_else_is_none(head: bytes) -> None:
    assert sniff(head) is None
