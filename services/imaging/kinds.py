"""Refusing a file by its length and first bytes: all the parent process ever looks at. Imports no decoder."""

from typing import Final

from services.imaging.errors import ImageTooLarge, InvalidImage
from shared.picture_kinds import sniff

MAX_BYTES: Final = 15_000_000

_KNOWN_STARTS: Final = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"BM": "a BMP picture",
    b"\0\0\1\0": "an icon",
    b"PK\3\4": "a ZIP archive",
}
"""Files people send by mistake, by their first bytes."""


def check_size_and_kind(original: bytes) -> str:
    """Say which format a file has, from its length and first bytes only.

    Raises `ImageTooLarge` above 15 MB and `InvalidImage`, naming what it seems to be, for anything we do not read.
    """
    if len(original) > MAX_BYTES:
        raise ImageTooLarge(f"The file has {len(original):,} bytes; at most {MAX_BYTES:,} are taken.")
    kind = sniff(original)
    if kind is None:
        raise InvalidImage(f"The file is {_guess(original)}; JPEG, PNG, WebP, AVIF and GIF are taken.")
    return kind


def _guess(original: bytes) -> str:
    """What a refused file seems to be, for the person who sent it."""
    head = original[:512].lstrip()
    if not original:
        return "empty"
    for start, name in _KNOWN_STARTS.items():
        if head.startswith(start):
            return name
    if head[4:8] == b"ftyp":
        return "a HEIC picture" if head[8:12] in (b"heic", b"heix", b"mif1", b"msf1") else "a video"
    if b"<svg" in head:
        return "an SVG drawing"
    if head[:1] == b"<":
        return "an HTML or XML page"
    return "no picture we know"
