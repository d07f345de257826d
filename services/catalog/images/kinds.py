"""What an upload is, by its first bytes; its name and declared type are not believed. Imaging checks again, deeper."""

from typing import Final

HEAD_BYTES: Final = 32


def extension_of(head: bytes) -> str | None:
    """The file extension for what the first `HEAD_BYTES` announce: JPEG, PNG, WebP, AVIF or GIF; None for all else."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:12] in (b"ftypavif", b"ftypavis") or (head[4:12] == b"ftypmif1" and b"avif" in head[16:]):
        return "avif"
    return None
