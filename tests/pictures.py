"""Pictures for tests, beside the ordinary ones of `deploy.local.pictures`: the awkward and the hostile.

Nothing here is read from disk, and no picture is larger in memory than 40 megapixels.
"""

import struct
import zlib
from functools import cache

from PIL import Image

from deploy.local.pictures import encoded as encoded
from deploy.local.pictures import painting as painting
from deploy.local.pictures import photo as photo

ORIENTATION_TAG = 0x0112

CORNERS = {"top_left": (220, 30, 30), "top_right": (30, 170, 40), "bottom_left": (30, 60, 220)}
"""What `oriented` paints into three corners as a viewer must see them; the fourth is white."""

_UPRIGHT_TO_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def oriented(orientation: int, form: str = "JPEG", size: tuple[int, int] = (320, 200)) -> bytes:
    """A picture of `size` as a viewer sees it, stored turned or mirrored with the EXIF tag that says so (1 to 8)."""
    width, height = size
    upright = Image.new("RGB", size, "white")
    upright.paste(CORNERS["top_left"], (0, 0, width // 2, height // 2))
    upright.paste(CORNERS["top_right"], (width // 2, 0, width, height // 2))
    upright.paste(CORNERS["bottom_left"], (0, height // 2, width // 2, height))
    turn = _UPRIGHT_TO_STORED[orientation]
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    return encoded(upright if turn is None else upright.transpose(turn), form, exif=exif, quality=95)


def truncated(original: bytes, share: float = 0.6) -> bytes:
    """The first part of a file, as after a broken upload."""
    return original[: int(len(original) * share)]


def pixel_bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A few kB of PNG whose header announces 3.6 gigapixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _png(_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(bytes(100_000), 9)))


def flat_png(width: int, height: int) -> bytes:
    """A PNG of one colour, tiny as a file whatever its size in pixels."""
    return encoded(Image.new("L", (width, height), 90), "PNG", optimize=False, compress_level=9)


def png_with_text(text_bytes: int) -> bytes:
    """A PNG whose compressed text chunk unpacks to `text_bytes`."""
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes(64 * 3)) * 64
    text = b"Comment\0\0" + zlib.compress(bytes(text_bytes), 9)
    return _png(_chunk(b"IHDR", header), _chunk(b"zTXt", text), _chunk(b"IDAT", zlib.compress(rows)))


@cache
def scan_bomb(file_bytes: int = 232_000, side: int = 6_300) -> bytes:
    """A progressive JPEG just under 40 megapixels that repeats one cheap scan until the file is `file_bytes` long.

    Each repetition adds some hundred bytes and makes the decoder walk over all coefficients again.
    """
    plain = encoded(Image.new("L", (side, side), 90), "JPEG", progressive=True, quality=50)
    starts = [at for at in range(len(plain)) if plain.startswith(b"\xff\xda", at)]
    needed = plain[: starts[1]]  # headers and the one scan without which nothing is decoded
    cheap = plain[starts[1] : starts[2]].partition(b"\xff\xc4")[0]
    return needed + cheap * ((file_bytes - len(needed)) // len(cheap)) + b"\xff\xd9"


def polyglot() -> bytes:
    """A valid JPEG that is also HTML with a script and, from its end, a ZIP archive."""
    plain = photo(3, 320, 240)
    comment = b"<html><script>alert(document.domain)</script>"
    segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
    return plain[:2] + segment + plain[2:] + b"PK\x05\x06" + bytes(18)


NOT_PICTURES: dict[str, bytes] = {
    "empty": b"",
    "text": b"hello, world\n" * 40,
    "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": b"<!doctype html><html><body><img src=x></body></html>",
    "pdf": b"%PDF-1.7\n" + bytes(200),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (w) file\n",
    "tiff": encoded(Image.new("RGB", (8, 8)), "TIFF"),
    "bmp": encoded(Image.new("RGB", (8, 8)), "BMP"),
    "ico": encoded(Image.new("RGB", (16, 16)), "ICO"),
    "zip": b"PK\x03\x04" + bytes(60),
    "mp4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(40),
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40),
    "wav": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
}
"""Files that must be refused by their first bytes, by what they are."""


def _png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
