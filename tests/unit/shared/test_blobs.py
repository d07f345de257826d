"""One suite for every kind of object store that needs no server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.blobs import BlobNotFound, Blobs, ObjectStoreDown, content_key, content_type_of, open_blobs
from shared.errors import Unavailable

NOT_KEYS = [
    "",
    "/etc/passwd",
    "../secret",
    "a/../../b",
    "a//b",
    "a/",
    "a b",
    "a/.hidden",
    "ä",
    "a\0b",
    "a\n",
    "x" * 301,
]


@pytest.fixture(params=["folder", "memory"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Blobs]:
    url = f"file://{tmp_path}/made/for%20us" if request.param == "folder" else "memory:///"
    async with open_blobs(url) as opened:
        yield opened


async def test_what_is_put_is_got_streamed_and_described(blobs: Blobs) -> None:
    content = bytes(range(256)) * 4096
    await blobs.put("renditions/ab/x.webp", content)
    assert await blobs.get("renditions/ab/x.webp") == content
    assert b"".join([piece async for piece in blobs.stream("renditions/ab/x.webp", chunk_bytes=1000)]) == content
    head = await blobs.head("renditions/ab/x.webp")
    assert head is not None
    assert head.size_bytes == len(content)
    assert head.modified_at.tzinfo is not None


async def test_put_replaces_and_delete_removes_and_both_may_come_twice(blobs: Blobs) -> None:
    for content in (b"one", b"two", b"two"):
        await blobs.put("a/b.jpg", content)
    assert await blobs.get("a/b.jpg") == b"two"
    for _ in range(2):
        await blobs.delete("a/b.jpg")
    assert not await blobs.exists("a/b.jpg")


async def test_a_missing_object_is_not_found(blobs: Blobs) -> None:
    assert await blobs.head("no/such.jpg") is None
    with pytest.raises(BlobNotFound):
        await blobs.get("no/such.jpg")
    with pytest.raises(BlobNotFound):
        await anext(blobs.stream("no/such.jpg"))


@pytest.mark.parametrize("key", NOT_KEYS)
async def test_a_key_that_could_not_be_ours_finds_nothing_and_stores_nothing(blobs: Blobs, key: str) -> None:
    assert await blobs.head(key) is None
    assert not await blobs.exists(key)
    await blobs.delete(key)
    with pytest.raises(BlobNotFound):
        await blobs.get(key)
    with pytest.raises(BlobNotFound):
        await anext(blobs.stream(key))
    with pytest.raises(ValueError, match="not a blob key"):
        await blobs.put(key, b"content")


async def test_a_folder_is_made_and_holds_only_whole_objects(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "blobs"
    async with open_blobs(root.as_uri()) as blobs:
        await blobs.put("originals/ab/abc.jpg", b"content")
        assert [path.name for path in root.rglob("*") if path.is_file()] == ["abc.jpg"]
    async with open_blobs(root.as_uri()) as blobs:
        assert await blobs.get("originals/ab/abc.jpg") == b"content"


async def test_a_store_that_fails_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "originals").write_text("a file where a folder should be")
    async with open_blobs(tmp_path.as_uri()) as blobs:
        with pytest.raises(Unavailable) as failed:
            await blobs.put("originals/ab/abc.jpg", b"content")
    assert failed.value.retryable
    assert str(tmp_path) not in failed.value.detail
    assert not isinstance(failed.value, ObjectStoreDown)  # one bad place is not the whole store


@pytest.mark.parametrize("is_replaced", [False, True], ids=["gone", "no folder any more"])
async def test_a_folder_that_is_gone_is_a_store_that_is_down_and_not_an_empty_one(
    tmp_path: Path, is_replaced: bool
) -> None:
    root = tmp_path / "blobs"
    async with open_blobs(root.as_uri()) as blobs:
        await blobs.put("a/b.jpg", b"content")
        root.rename(tmp_path / "away")
        if is_replaced:
            root.touch()
        for call in (blobs.get("a/b.jpg"), blobs.head("a/b.jpg"), blobs.put("a/c.jpg", b"x")):
            with pytest.raises(ObjectStoreDown):
                await call
        root.unlink(missing_ok=True)
        (tmp_path / "away").rename(root)
        assert await blobs.get("a/b.jpg") == b"content"


@pytest.mark.parametrize(
    "url", ["", "blobs", "file://host/blobs", "file:relative", "s3:///prefix", "ftp://example.com/x"]
)
async def test_an_address_that_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="SOUK_BLOBS_URL"):
        async with open_blobs(url):
            pass


async def test_an_s3_address_opens_without_contact() -> None:
    async with open_blobs("s3://bucket/some/prefix") as blobs:
        assert await blobs.head("../x") is None


def test_equal_content_has_one_key() -> None:
    key = content_key("originals", b"picture", "jpg")
    assert key == content_key("originals", b"picture", "jpg")
    assert key.startswith(f"originals/{key.split('/')[2][:2]}/")
    assert key != content_key("originals", b"picture.", "jpg")


@pytest.mark.parametrize(
    ("key", "expected"), [("a/b.webp", "image/webp"), ("a.jpg", "image/jpeg"), ("a/b", "application/octet-stream")]
)
def test_the_extension_says_the_media_type(key: str, expected: str) -> None:
    assert content_type_of(key) == expected
