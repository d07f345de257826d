"""How pages name the renditions of a picture. No I/O."""

from typing import Final

from services.catalog.products.models import Picture, Rendition

SHOWN: Final = ("card", "page", "zoom")
"""What a browser chooses from; the smallest preset is for lists of one's own products."""


def rendition(picture: Picture, preset: str, form: str = "jpg") -> str:
    """Where a rendition is; the nearest there is, should the preset be missing."""
    found = [one for one in picture.renditions if one.format == form] or list(picture.renditions)
    best = next((one for one in found if one.preset == preset), found[0])
    return _url(best)


def srcset(picture: Picture, presets: tuple[str, ...] = SHOWN) -> str:
    """The WebP renditions with their widths. A picture smaller than a preset has two of one width: one is enough."""
    by_width = {
        one.width: one for one in reversed(picture.renditions) if one.format == "webp" and one.preset in presets
    }
    return ", ".join(f"{_url(one)} {width}w" for width, one in sorted(by_width.items()))


def first_shown(pictures: tuple[Picture, ...]) -> Picture | None:
    """The picture that stands for a product."""
    return next((picture for picture in pictures if picture.renditions), None)


def _url(one: Rendition) -> str:
    return f"/media/{one.key}"
