"""Pictures in, renditions out, in this process. What has to be killed is in tests/integration/imaging."""

import base64
from io import BytesIO
from random import Random
from typing import Any

import pytest
from PIL import Image, ImageCms

from services.imaging.errors import ImageTooLarge, InvalidImage
from services.imaging.kinds import MAX_BYTES
from services.imaging.models import Format, Rendered
from services.imaging.thumbnails import MAX_PLACEHOLDER_CHARS, render
from shared.picture_kinds import sniff
from tests import pictures


def opened(rendered: Rendered, preset: str, form: Format) -> Image.Image:
    """One rendition as Pillow reads it back."""
    content = next(file.content for file in rendered.files if (file.preset, file.format) == (preset, form))
    image = Image.open(BytesIO(content))
    image.load()
    return image


def near(actual: Any, expected: tuple[int, ...], tolerance: int = 12) -> bool:
    """Whether two colours look alike."""
    return all(abs(one - other) <= tolerance for one, other in zip(actual, expected, strict=True))


def test_a_photo_becomes_every_preset_in_every_format() -> None:
    rendered = render(pictures.photo())
    assert (rendered.original_format, rendered.width, rendered.height) == ("jpg", 1600, 1200)
    assert [(file.preset, file.format.value, file.width, file.height) for file in rendered.files] == [
        (preset, form, width, height)
        for preset, width, height in (
            ("thumb", 160, 120),
            ("card", 320, 240),
            ("page", 1024, 768),
            ("zoom", 1600, 1200),
        )
        for form in ("webp", "jpg")
    ]
    for file in rendered.files:
        image = Image.open(BytesIO(file.content))
        assert (image.size, image.format) == ((file.width, file.height), file.format.name)


def test_test_pictures_have_the_size_of_real_ones() -> None:
    assert all(150_000 <= len(pictures.photo(seed)) <= 600_000 for seed in range(1, 9))
    assert pictures.photo(1) != pictures.photo(2)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
def test_every_format_is_read(form: str) -> None:
    original = pictures.encoded(pictures.painting(4, 400, 300), form)
    assert sniff(original) == form
    rendered = render(original)
    assert (rendered.width, rendered.height) == (400, 300)
    assert opened(rendered, "page", Format.WEBP).size == (400, 300)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation: int, form: str) -> None:
    rendered = render(pictures.oriented(orientation, form))
    assert (rendered.width, rendered.height) == (320, 200)
    image = opened(rendered, "thumb", Format.JPEG)
    assert image.size == (160, 100)
    for corner, at in {"top_left": (20, 12), "top_right": (140, 12), "bottom_left": (20, 88)}.items():
        assert near(image.getpixel(at), pictures.CORNERS[corner], 40), corner


def test_large_turned_jpegs_are_decoded_smaller_and_upright() -> None:
    rendered = render(pictures.oriented(6, size=(5000, 4000)))
    assert (rendered.width, rendered.height) == (5000, 4000)
    assert opened(rendered, "zoom", Format.WEBP).size == (2048, 1638)
    assert near(opened(rendered, "zoom", Format.JPEG).getpixel((50, 50)), pictures.CORNERS["top_left"])


def test_metadata_is_stripped() -> None:
    exif = Image.Exif()
    exif[0x010E] = "somebody's garden"
    original = pictures.encoded(
        pictures.painting(5, 300, 200), "JPEG", exif=exif, comment=b"a comment", icc_profile=_profile("XYZ")
    )
    assert b"garden" in original
    for file in render(original).files:
        assert b"garden" not in file.content
        assert b"a comment" not in file.content
        assert not {"exif", "icc_profile", "xmp", "comment"} & Image.open(BytesIO(file.content)).info.keys()


def test_transparency_is_kept_in_webp_and_white_in_jpeg() -> None:
    picture = Image.new("RGBA", (400, 200), (0, 0, 0, 0))
    picture.paste((200, 0, 0, 255), (0, 0, 200, 200))
    rendered = render(pictures.encoded(picture, "PNG"))
    webp, jpeg = opened(rendered, "card", Format.WEBP), opened(rendered, "card", Format.JPEG)
    assert webp.mode == "RGBA"
    assert near(webp.getpixel((20, 80)), (200, 0, 0, 255))
    assert webp.getpixel((300, 80))[3] == 0  # type: ignore[index]
    assert near(jpeg.getpixel((20, 80)), (200, 0, 0))
    assert near(jpeg.getpixel((300, 80)), (255, 255, 255))


def test_an_opaque_alpha_channel_costs_nothing() -> None:
    rendered = render(pictures.encoded(Image.new("RGBA", (50, 50), (10, 200, 30, 255)), "PNG"))
    assert opened(rendered, "thumb", Format.WEBP).mode == "RGB"


def grey16() -> Image.Image:
    """Middle grey with 16 bits a pixel."""
    return Image.frombytes("I;16", (40, 30), b"\x80\x80" * 1200)


def palette(transparent: bool) -> bytes:
    """A palette picture, green, perhaps with its left half transparent."""
    picture = Image.new("P", (40, 30), 1)
    picture.putpalette([255, 0, 0, 0, 200, 0])
    picture.paste(0, (0, 0, 20, 30))
    return pictures.encoded(picture, "PNG", **({"transparency": 0} if transparent else {}))


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        (pictures.encoded(grey16(), "PNG"), (128, 128, 128)),
        (pictures.encoded(Image.new("L", (40, 30), 70), "PNG"), (70, 70, 70)),
        (pictures.encoded(Image.new("1", (40, 30), 1), "PNG"), (255, 255, 255)),
        (pictures.encoded(Image.new("LA", (40, 30), (90, 255)), "PNG"), (90, 90, 90)),
        (pictures.encoded(Image.new("CMYK", (40, 30), (0, 0, 0, 255)), "JPEG"), (0, 0, 0)),
        (pictures.encoded(Image.new("CMYK", (40, 30), (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),
        (pictures.encoded(Image.new("YCbCr", (40, 30), (128, 128, 128)), "JPEG"), (128, 128, 128)),
        (palette(transparent=False), (0, 200, 0)),
        (palette(transparent=True), (0, 200, 0)),
    ],
    ids=["grey 16", "grey", "bits", "grey alpha", "cmyk black", "cmyk red", "ycc", "palette", "palette transparent"],
)
def test_every_colour_mode_becomes_srgb(original: bytes, expected: tuple[int, int, int]) -> None:
    rendered = render(original)
    assert near(opened(rendered, "card", Format.JPEG).getpixel((30, 15)), expected)
    assert near(opened(rendered, "card", Format.WEBP).convert("RGB").getpixel((30, 15)), expected)


def _profile(name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()  # type: ignore[arg-type]


def swapped_profile() -> bytes:
    """An RGB profile whose red and blue primaries are swapped, so that converting is seen."""
    body = bytearray(_profile("sRGB"))
    count = int.from_bytes(body[128:132], "big")
    at = {bytes(body[o : o + 4]): o for o in range(132, 132 + 12 * count, 12)}
    red, blue = at[b"rXYZ"], at[b"bXYZ"]
    body[red + 4 : red + 12], body[blue + 4 : blue + 12] = body[blue + 4 : blue + 12], body[red + 4 : red + 12]
    return bytes(body)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_embedded_profile_is_applied(mode: str) -> None:
    picture = Image.new(mode, (40, 30), (250, 0, 0, 120)[: len(mode)])
    rendered = render(pictures.encoded(picture, "PNG", icc_profile=swapped_profile()))
    webp = opened(rendered, "card", Format.WEBP)
    assert near(webp.convert("RGB").getpixel((9, 9)), (0, 0, 250), 20)
    assert webp.mode == mode


@pytest.mark.parametrize("profile", [b"no profile", _profile("LAB"), bytes(200)])
def test_a_profile_that_does_not_fit_is_ignored(profile: bytes) -> None:
    original = pictures.encoded(Image.new("RGB", (40, 30), (250, 0, 0)), "PNG", icc_profile=profile)
    assert near(opened(render(original), "card", Format.JPEG).getpixel((9, 9)), (250, 0, 0))


def test_only_the_first_frame_of_an_animation_is_rendered() -> None:
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue", "lime")]
    for form in ("GIF", "WEBP", "PNG", "AVIF"):
        original = pictures.encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=50)
        assert near(opened(render(original), "card", Format.JPEG).getpixel((20, 20)), (254, 0, 0), 20), form


@pytest.mark.parametrize("size", [(1, 1), (1, 9000), (9000, 1), (3, 16_500), (2500, 4)])
def test_odd_sizes_are_rendered_and_no_side_vanishes(size: tuple[int, int]) -> None:
    rendered = render(pictures.flat_png(*size))
    assert all(file.width >= 1 and file.height >= 1 for file in rendered.files)
    assert len(rendered.files) == 8


def test_sizes_that_are_equal_share_their_bytes() -> None:
    rendered = render(pictures.photo(6, 300, 200))
    webp = {file.preset: file.content for file in rendered.files if file.format is Format.WEBP}
    assert webp["card"] is webp["page"] is webp["zoom"]
    assert webp["thumb"] != webp["card"]


@pytest.mark.parametrize(
    "picture",
    [
        pictures.painting(7, 1600, 1200),
        pictures.painting(8, 30, 3000),
        Image.effect_noise((300, 300), 120),
        Image.merge("RGBA", [Image.effect_noise((64, 64), 120)] * 4),
    ],
    ids=["photo", "strip", "noise", "transparent noise"],
)
def test_the_placeholder_is_a_tiny_inline_picture(picture: Image.Image) -> None:
    placeholder = render(pictures.encoded(picture, "PNG")).placeholder
    kind, _, body = placeholder.partition(",")
    assert kind == "data:image/webp;base64"
    assert len(placeholder) < MAX_PLACEHOLDER_CHARS
    assert max(Image.open(BytesIO(base64.b64decode(body))).size) <= 16


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert render(pictures.photo(9, 800, 600)) == render(pictures.photo(9, 800, 600))


@pytest.mark.parametrize(("name", "original"), pictures.NOT_PICTURES.items(), ids=pictures.NOT_PICTURES)
def test_what_is_no_picture_of_ours_is_refused_by_its_first_bytes(name: str, original: bytes) -> None:
    with pytest.raises(InvalidImage) as refused:
        render(original)
    assert not refused.value.retryable
    if name in ("svg", "pdf", "tiff", "heic", "zip"):
        assert name.upper() in refused.value.detail


@pytest.mark.parametrize(
    "original",
    [
        pictures.truncated(pictures.photo()),
        pictures.truncated(pictures.encoded(pictures.painting(2, 300, 200), "PNG")),
        pictures.truncated(pictures.encoded(pictures.painting(2, 300, 200), "WEBP")),
        pictures.truncated(pictures.encoded(pictures.painting(2, 300, 200), "AVIF")),
        pictures.truncated(pictures.encoded(pictures.painting(2, 300, 200), "GIF")),
        pictures.png_with_text(50_000_000),
        *(pictures.photo()[:length] for length in (3, 4, 20, 200, 700)),
        *(pictures.encoded(pictures.painting(2, 30, 20), "PNG")[:length] for length in (8, 16, 33, 40)),
        b"GIF89a",
        b"RIFF\0\0\0\0WEBP",
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
    ],
)
def test_damaged_files_are_invalid(original: bytes) -> None:
    with pytest.raises(InvalidImage) as found:
        render(original)
    assert "0x" not in str(found.value)


def test_flipped_bytes_give_a_picture_or_invalid_but_nothing_else() -> None:
    random = Random(11)
    for form in ("JPEG", "PNG", "WEBP", "AVIF", "GIF"):
        original = pictures.encoded(pictures.painting(2, 64, 48), form)
        for _ in range(40):
            damaged = bytearray(original)
            for _ in range(random.randrange(1, 6)):
                damaged[random.randrange(len(damaged))] = random.randrange(256)
            try:
                render(bytes(damaged))
            except (InvalidImage, ImageTooLarge):
                continue


@pytest.mark.parametrize(
    "original",
    [
        pictures.pixel_bomb(),
        pictures.pixel_bomb(8000, 8000),
        pictures.flat_png(6400, 6400),
        b"\xff\xd8\xff" + bytes(MAX_BYTES),
    ],
    ids=["3.6 gigapixels", "64 megapixels", "41 megapixels", "15 MB"],
)
def test_too_large_is_said_before_decoding(original: bytes) -> None:
    with pytest.raises(ImageTooLarge) as refused:
        render(original)
    assert not refused.value.retryable


def test_a_polyglot_leaves_its_other_half_behind() -> None:
    rendered = render(pictures.polyglot())
    assert all(b"<script" not in file.content and b"PK\x05\x06" not in file.content for file in rendered.files)
