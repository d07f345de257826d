"""Pictures as vendors upload them, painted from a seed: the same bytes on every machine with the same Pillow."""

from functools import cache
from io import BytesIO
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter


@cache
def photo(seed: int = 1, width: int = 1600, height: int = 1200) -> bytes:
    """A JPEG with gradients, texture and edges; 150 to 600 kB at 1600x1200."""
    return encoded(painting(seed, width, height), "JPEG", quality=85)


def painting(seed: int, width: int, height: int) -> Image.Image:
    """The RGB picture behind `photo`: a sky, a textured ground and a few hard-edged things."""
    random = Random(seed)  # noqa: S311 - a picture, not a secret
    size = (width, height)
    first, second = _colour(random), _colour(random)
    ground = Image.composite(
        Image.new("RGB", size, first),
        Image.new("RGB", size, second),
        Image.linear_gradient("L").rotate(random.choice((0, 90, 180, 270))).resize(size),
    )
    for cell, strength in ((64, 70), (12, 40), (2, 22)):
        ground = ImageChops.add(ground, _noise(random, size, cell, strength), offset=-strength // 2)
    draw = ImageDraw.Draw(ground)
    for _ in range(14):
        left, top = random.randrange(width), random.randrange(height)
        box = (left, top, left + random.randrange(20, 20 + width // 4), top + random.randrange(20, 20 + height // 4))
        match random.randrange(3):
            case 0:
                draw.rectangle(box, fill=_colour(random), outline=_colour(random), width=3)
            case 1:
                draw.ellipse(box, fill=_colour(random))
            case _:
                draw.line(box, fill=_colour(random), width=random.randrange(1, 9))
    return ground


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """The picture's file: `form` is Pillow's name of the format."""
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _colour(random: Random) -> tuple[int, int, int]:
    return (random.randrange(30, 226), random.randrange(30, 226), random.randrange(30, 226))


def _noise(random: Random, size: tuple[int, int], cell: int, strength: int) -> Image.Image:
    """Grey noise of one grain size, 0 to `strength`, as wide as `size`."""
    columns, rows = size[0] // cell + 1, size[1] // cell + 1
    grain = Image.frombytes("L", (columns, rows), random.randbytes(columns * rows))
    grown = grain.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(cell / 4))
    return Image.merge("RGB", [grown.point(lambda value: value * strength // 255)] * 3)
