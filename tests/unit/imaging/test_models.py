"""Sizes and keys of renditions."""

import pytest

from services.imaging.models import PRESETS, Format, Preset, content_hash, rendition_key


@pytest.mark.parametrize(
    ("preset", "size", "expected"),
    [
        (Preset("card", 320), (1600, 1200), (320, 240)),
        (Preset("card", 320), (1200, 1600), (320, 427)),
        (Preset("zoom", 2048), (1600, 1200), (1600, 1200)),
        (Preset("thumb", 160), (10, 20_000), (1, 320)),
        (Preset("thumb", 160), (20_000, 10), (160, 1)),
        (Preset("thumb", 160), (1, 1), (1, 1)),
        (Preset("zoom", 2048), (2000, 20_000), (410, 4096)),
    ],
)
def test_a_preset_bounds_width_and_height_and_never_enlarges(
    preset: Preset, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert preset.fit(*size) == expected


def test_presets_are_the_published_ones_in_rising_size() -> None:
    assert [(preset.name, preset.width) for preset in PRESETS] == [
        ("thumb", 160),
        ("card", 320),
        ("page", 1024),
        ("zoom", 2048),
    ]


def test_the_key_of_a_rendition_is_told_by_content_preset_format_and_version() -> None:
    name = content_hash(b"picture")
    assert rendition_key(name, "card", Format.WEBP) == f"renditions/{name[:2]}/{name}/v1/card.webp"
