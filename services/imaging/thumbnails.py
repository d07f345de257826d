"""Pure rendering: the bytes of an original in, all presets in all formats out. No I/O, no clock.

Runs in a child process that can be killed (`services.imaging.child`); nothing here limits time or memory, and the pixel
cap does not either: a JPEG of 232 kB and 39 megapixels can take 10 s of CPU.

Pillow rather than libvips: measured on 1600x1200 pictures with these sizes and formats, 26 renditions per CPU second
against 21. Most of the time goes into encoding. WebP's method 2 would give 41, with files 8 to 11 % larger; a picture
is rendered once and looked at often.
"""

import base64
import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageCms, UnidentifiedImageError

from services.imaging.errors import ImageTooLarge, InvalidImage
from services.imaging.kinds import check_size_and_kind
from services.imaging.models import FORMATS, PRESETS, Format, Rendered, RenderedFile
from shared.picture_kinds import extension_of

MAX_PIXELS: Final = 40_000_000
MAX_PLACEHOLDER_CHARS: Final = 400

Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow itself refuses twice as much, also where a frame outgrows its header

_ORIENTATION_TAG: Final = 0x0112
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a stored picture upright, by its EXIF orientation."""
_QUARTER_TURNS: Final = frozenset(_UPRIGHT[orientation] for orientation in (5, 6, 7, 8))
"""Those of them that swap width and height."""

_SAVE_OPTIONS: Final[dict[Format, dict[str, object]]] = {
    Format.WEBP: {"format": "WEBP", "quality": 80, "method": 4},
    Format.JPEG: {"format": "JPEG", "quality": 82, "progressive": True, "optimize": True},
}
_DAMAGE: Final = (
    *(ArithmeticError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError),
    struct.error,
)
"""What Pillow's decoders raise on damaged files, besides the decompression bomb errors."""

_SRGB = ImageCms.createProfile("sRGB")


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A picture as it is stored, 8 bits a channel, perhaps decoded smaller; `width` and `height` are the viewer's."""

    picture: Image.Image
    profile: bytes | None
    turn: Image.Transpose | None
    width: int
    height: int

    def stored(self, size: tuple[int, int]) -> tuple[int, int]:
        """A viewer's size, before turning."""
        return size[::-1] if self.turn in _QUARTER_TURNS else size


def _what(damage: BaseException) -> str:
    """What a decoder says is wrong. Of a file it does not know at all, Pillow says only where that is in memory."""
    if isinstance(damage, UnidentifiedImageError):
        return "it cannot be read"
    return str(damage)[:200].rstrip(".") or type(damage).__name__


def render(original: bytes) -> Rendered:
    """Make every preset in every format, upright, in sRGB, without metadata, and the placeholder.

    Presets that come out equally large (the original is small) are encoded once and share their bytes.
    Raises `InvalidImage` or `ImageTooLarge`; `MemoryError` where a limit is set and reached.
    """
    kind = check_size_and_kind(original)
    try:
        decoded = _decode(original, kind)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise ImageTooLarge(f"The picture has more than {MAX_PIXELS:,} pixels.") from exc
    except _DAMAGE as exc:
        raise InvalidImage(f"The {kind} file is damaged: {_what(exc)}.") from exc

    width, height = decoded.width, decoded.height
    picture = _upright_in_srgb(decoded, PRESETS[-1].fit(width, height))
    files: list[RenderedFile] = []
    encoded: dict[tuple[int, int], dict[Format, bytes]] = {}
    for preset in reversed(PRESETS):  # each size is made from the next larger one
        size = preset.fit(width, height)
        if picture.size != size:
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        if size not in encoded:
            encoded[size] = {form: _encode(picture, form) for form in FORMATS}
        files = [RenderedFile(preset.name, form, *size, encoded[size][form]) for form in FORMATS] + files
    return Rendered(extension_of(kind), width, height, _placeholder(picture), tuple(files))


def _decode(original: bytes, kind: str) -> _Decoded:
    with Image.open(BytesIO(original), formats=[kind]) as image:
        stored_width, stored_height = image.size
        if stored_width * stored_height > MAX_PIXELS:
            raise ImageTooLarge(
                f"The picture is {stored_width} x {stored_height}; at most {MAX_PIXELS:,} pixels are taken."
            )
        turn = _UPRIGHT.get(_orientation(image))
        width, height = (stored_height, stored_width) if turn in _QUARTER_TURNS else image.size
        largest = PRESETS[-1].fit(width, height)
        # JPEG only: decodes at 1/2, 1/4 or 1/8 where that is still at least as large.
        image.draft(None, largest[::-1] if turn in _QUARTER_TURNS else largest)
        return _Decoded(_eight_bit(image), image.info.get("icc_profile"), turn, width, height)


def _upright_in_srgb(decoded: _Decoded, size: tuple[int, int]) -> Image.Image:
    """The picture at `size`. Made small first: turning and converting then cost less."""
    picture = decoded.picture
    if picture.size != decoded.stored(size):
        picture = picture.resize(decoded.stored(size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    picture = _in_srgb(picture, decoded.profile)
    return picture if decoded.turn is None else picture.transpose(decoded.turn)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none; a damaged EXIF block is as good as none."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except _DAMAGE:
        return 1
    return orientation if isinstance(orientation, int) else 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """The picture in L, RGB, RGBA or CMYK, alpha only where a pixel is really transparent."""
    image.load()
    if image.mode.startswith("I"):  # 16-bit grey
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.mode in ("L", "RGB", "CMYK") and "transparency" not in image.info:
        return image.copy()
    if image.mode in ("P", "1", "L", "RGB") and "transparency" not in image.info:
        return image.convert("RGB")
    picture = image.convert("RGBA")
    lowest_alpha, _ = picture.getchannel("A").getextrema()
    return picture.convert("RGB") if lowest_alpha == 255 else picture


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB or RGBA in sRGB. A profile that is broken or of another colour space is ignored, as browsers do."""
    has_alpha = picture.mode == "RGBA"
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            colours = picture.convert("RGB") if has_alpha else picture
            converted = ImageCms.profileToProfile(colours, source, _SRGB, outputMode="RGB")
        except (ImageCms.PyCMSError, *_DAMAGE):
            converted = None
        if converted is not None:
            if has_alpha:
                converted.putalpha(picture.getchannel("A"))
            return converted
    return picture if has_alpha else picture.convert("RGB")


def _encode(picture: Image.Image, form: Format) -> bytes:
    if form is Format.JPEG and picture.mode == "RGBA":
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=picture.getchannel("A"))
        picture = white
    return _file(picture, _SAVE_OPTIONS[form])


def _placeholder(picture: Image.Image) -> str:
    """The picture at some 16 pixels as a data URI, to be shown blurred until the real one is there."""
    for side, quality in ((16, 40), (16, 10), (8, 10), (4, 1)):
        tiny = picture.copy()
        tiny.thumbnail((side, side))
        body = base64.b64encode(_file(tiny, {"format": "WEBP", "quality": quality, "alpha_quality": 20})).decode()
        uri = f"data:image/webp;base64,{body}"
        if len(uri) < MAX_PLACEHOLDER_CHARS:
            return uri
    raise AssertionError("16 pixels do not fit into 400 characters")


def _file(picture: Image.Image, options: dict[str, object]) -> bytes:
    # Not saved from `info`, but Pillow falls back to it: profile, EXIF and comments of the original stay behind.
    picture.info = {}
    buffer = BytesIO()
    picture.save(buffer, **options)  # type: ignore[arg-type]  # each format has options of its own
    return buffer.getvalue()
