"""What a picture file is, by its first bytes; its name and declared type are not believed. Imports no decoder.

The catalog looks before it takes an upload, imaging before it decodes.
"""

from typing import Final

HEAD_BYTES: Final = 32
"""As many first bytes as `sniff` looks at."""


def sniff(content: bytes) -> str | None:
    """The format that the first bytes announce, by Pillow's name: JPEG, PNG, GIF, WEBP or AVIF; None for all else."""
    head = content[:HEAD_BYTES]
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:12] in (b"ftypavif", b"ftypavis") or (head[4:12] == b"ftypmif1" and b"avif" in head[16:]):
        return "AVIF"
    return None


def extension_of(kind: str) -> str:
    """The file name extension of a kind that `sniff` names."""
    return {"JPEG": "jpg"}.get(kind, kind.lower())
