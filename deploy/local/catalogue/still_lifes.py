"""Still lifes for the catalogue: one thing on a table, in soft light. No I/O.

A thing is an outline in units of the picture's height, its foot at 0, mirrored where it was turned on a lathe.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter

TABLE: Final = 0.78
"""Where the foot of the thing stands, as a part of the height; the table's edge lies a little above."""

FOOT: Final = 0.05
"""Below this the thing touches the table."""

Point = tuple[float, float]
Outline = Sequence[Point]
Colour = tuple[int, int, int]


def _turned(*profile: Point) -> Outline:
    """Both sides of what is as wide on the left as on the right, from the top down."""
    return [(-x, y) for x, y in profile] + [(x, y) for x, y in reversed(profile)]


BOWL: Final = _turned((0.40, 0.32), (0.38, 0.22), (0.30, 0.10), (0.17, 0.02), (0.15, 0.0))
VASE: Final = _turned((0.09, 0.62), (0.07, 0.54), (0.10, 0.46), (0.21, 0.32), (0.23, 0.20), (0.18, 0.06), (0.12, 0.0))
MUG: Final = _turned((0.17, 0.36), (0.18, 0.20), (0.16, 0.04), (0.14, 0.0))
LAMP: Final = _turned((0.13, 0.64), (0.27, 0.38), (0.025, 0.38), (0.025, 0.04), (0.15, 0.03), (0.15, 0.0))
STOOL: Final = _turned((0.32, 0.46), (0.32, 0.41), (0.27, 0.41), (0.32, 0.0), (0.27, 0.0), (0.20, 0.41))
BOX: Final = _turned((0.25, 0.42), (0.25, 0.0))
BOOKS: Final = _turned((0.27, 0.30), (0.27, 0.21), (0.32, 0.21), (0.32, 0.11), (0.29, 0.11), (0.29, 0.0))
FOLDED: Final = _turned((0.30, 0.28), (0.35, 0.25), (0.37, 0.16), (0.38, 0.06), (0.36, 0.0))
PLANT: Final = [
    *((-0.05, 0.30), (-0.26, 0.44), (-0.12, 0.42), (-0.18, 0.60), (-0.02, 0.46), (0.04, 0.64), (0.08, 0.46)),
    *((0.24, 0.56), (0.14, 0.40), (0.28, 0.38), (0.06, 0.30), (0.16, 0.28), (0.12, 0.0), (-0.12, 0.0), (-0.16, 0.28)),
]
RING: Final = _turned((0.10, 0.34), (0.20, 0.22), (0.20, 0.12), (0.10, 0.0))

THINGS: Final[Mapping[str, Sequence[Outline]]] = {
    "home-living": (VASE, BOX, BOWL),
    "kitchen": (MUG, BOWL),
    "lighting": (LAMP,),
    "furniture": (STOOL, BOX),
    "textiles": (FOLDED,),
    "ceramics": (VASE, BOWL, MUG),
    "fashion": (FOLDED,),
    "jewellery": (RING,),
    "electronics": (BOX, LAMP),
    "books": (BOOKS,),
    "toys": (BOX, BOOKS),
    "outdoor": (PLANT,),
}
"""What stands for each shelf."""


PALETTE: Final[Sequence[tuple[Colour, Colour]]] = (
    ((226, 219, 208), (176, 96, 62)),
    ((214, 221, 214), (92, 118, 92)),
    ((221, 226, 230), (58, 84, 120)),
    ((233, 224, 205), (196, 148, 62)),
    ((230, 217, 212), (150, 74, 74)),
    ((218, 224, 222), (60, 110, 108)),
    ((228, 226, 222), (84, 78, 74)),
    ((232, 222, 216), (206, 178, 146)),
)
"""Walls, and the things before them: lime, linen and fog; clay, sage, indigo, ochre, madder, teal, slate and birch."""
DRAWN: Final = 2
"""Drawn so many times smaller: soft light loses nothing by it."""


def still_life(seed: int, category: str, width: int, height: int) -> Image.Image:
    """An RGB picture, the same for the same seed and category."""
    random = Random(seed)  # noqa: S311 - a picture, not a secret
    wall_colour, colour = random.choice(PALETTE)
    size = width // DRAWN, height // DRAWN
    scene = _shaded(size, _mixed(wall_colour, 1.06), _mixed(wall_colour, 0.92))
    table = _shaded(size, _mixed(wall_colour, 0.78), _mixed(wall_colour, 0.96))
    scene.paste(table, mask=_mask(size, [(0, 0.68), (1, 0.68), (1, 1), (0, 1)]))
    outline = random.choice(THINGS.get(category, (VASE,)))
    foot = max(x for x, y in outline if y <= FOOT) * 0.75
    shadow = [(0.5 - foot, TABLE - 0.01), (0.5 + foot, TABLE), (0.66 + foot, TABLE + 0.05), (0.56, TABLE + 0.045)]
    scene.paste(_mixed(wall_colour, 0.35), mask=_mask(size, shadow, blur=13).point(lambda value: value * 3 // 5))
    _stand(scene, outline, _mixed(colour, random.uniform(0.92, 1.1)))
    return _grained(scene.resize((width, height), Image.Resampling.BICUBIC), random)


def _stand(scene: Image.Image, outline: Outline, colour: Colour) -> None:
    """Put the thing on the table: lit from the left, darker to the right."""
    aspect = scene.height / scene.width
    points = [(0.5 + x * aspect, TABLE - y) for x, y in outline]
    body = _rounded(_mask(scene.size, points))
    light = Image.linear_gradient("L").rotate(-90).resize(scene.size)
    lit = Image.composite(_solid(scene.size, _mixed(colour, 1.4)), _solid(scene.size, _mixed(colour, 0.55)), light)
    scene.paste(lit, mask=body)
    left = min(x for x, _ in points)
    gleam = [(left + 0.05, 0), (left + 0.085, 0), (left + 0.085, 1), (left + 0.05, 1)]
    shine = ImageChops.multiply(body, _mask(scene.size, gleam, blur=9)).point(lambda value: value // 4)
    scene.paste((255, 255, 255), mask=shine)


def _rounded(mask: Image.Image) -> Image.Image:
    """The same with its corners worn off."""
    worn = mask.filter(ImageFilter.GaussianBlur(7)).point(lambda value: 255 if value > 127 else 0)
    return worn.filter(ImageFilter.GaussianBlur(0.8))


def _mask(size: tuple[int, int], outline: Outline, *, blur: float = 0.8) -> Image.Image:
    """An area in parts of the size, its edge softened by so many pixels."""
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).polygon([(x * size[0], y * size[1]) for x, y in outline], fill=255)
    return mask.filter(ImageFilter.GaussianBlur(blur))


def _shaded(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    return Image.composite(_solid(size, bottom), _solid(size, top), Image.linear_gradient("L").resize(size))


def _solid(size: tuple[int, int], colour: Colour) -> Image.Image:
    return Image.new("RGB", size, colour)


def _grained(picture: Image.Image, random: Random) -> Image.Image:
    """As a camera's sensor has it: without grain, JPEG shows steps in soft light."""
    noise = Image.frombytes("L", picture.size, random.randbytes(picture.width * picture.height))
    soft = noise.filter(ImageFilter.GaussianBlur(0.8)).point(lambda value: 118 + value // 13)
    return ImageChops.add(picture, Image.merge("RGB", (soft, soft, soft)), offset=-128)


def _mixed(colour: Colour, light: float) -> Colour:
    red, green, blue = (min(255, round(part * light)) for part in colour)
    return red, green, blue
