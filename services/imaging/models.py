"""The sizes and formats pages can ask for, and what rendering gives back."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

RENDERING_VERSION = 1
"""Part of every rendition's key. Raise it when sizes, quality or the rendering itself change, so that a key never
stands for two different pictures in a cache."""


class Format(StrEnum):
    """A format we write; the value is the file's extension."""

    WEBP = "webp"
    JPEG = "jpg"

    @property
    def content_type(self) -> str:
        """The media type to serve it with."""
        return {Format.WEBP: "image/webp", Format.JPEG: "image/jpeg"}[self]


@dataclass(frozen=True, slots=True)
class Preset:
    """A named size: at most `width` pixels wide and twice that high, whole picture, never enlarged."""

    name: str
    width: int

    def fit(self, width: int, height: int) -> tuple[int, int]:
        """The size of a `width` x `height` picture in this preset; no side is ever below 1 pixel.

        The height bound keeps a strip of 10 x 20,000 pixels within what WebP can hold (16,383).
        """
        scale = min(1.0, self.width / width, 2 * self.width / height)
        return max(1, round(width * scale)), max(1, round(height * scale))


PRESETS = (Preset("thumb", 160), Preset("card", 320), Preset("page", 1024), Preset("zoom", 2048))
FORMATS = (Format.WEBP, Format.JPEG)


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """One preset in one format, as bytes."""

    preset: str
    format: Format
    width: int
    height: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Rendered:
    """Everything made from one original. Sizes are in pixels as a viewer sees the picture, after EXIF orientation.

    `original_format` is the extension its magic bytes call for; `placeholder` a data URI below 400 characters.
    """

    original_format: str
    width: int
    height: int
    placeholder: str
    files: tuple[RenderedFile, ...]


@dataclass(frozen=True, slots=True)
class Rendition:
    """A stored rendition; `bytes` is its size."""

    preset: str
    format: Format
    width: int
    height: int
    bytes: int
    key: str


@dataclass(frozen=True, slots=True)
class ProcessedImage:
    """What the catalog is told once every object is stored."""

    original_key: str
    width: int
    height: int
    placeholder: str
    renditions: tuple[Rendition, ...]


def content_hash(original: bytes) -> str:
    """The name of a picture by its content: SHA-256 in hex."""
    return hashlib.sha256(original).hexdigest()


def rendition_key(original_hash: str, preset: str, form: Format) -> str:
    """Where a rendition is stored: the same original always gives the same keys."""
    return f"renditions/{original_hash[:2]}/{original_hash}/v{RENDERING_VERSION}/{preset}.{form.value}"
