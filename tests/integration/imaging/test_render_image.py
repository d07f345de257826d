"""From a source to stored renditions, with a real renderer, a folder and a server on this machine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from services.imaging.errors import ImageTooLarge, InvalidImage
from services.imaging.models import ProcessedImage
from services.imaging.renderer import Renderer, open_renderer
from services.imaging.usecases import Fetching, render_image
from shared.blobs import BlobNotFound, Blobs, content_key, open_blobs
from shared.errors import Unavailable
from shared.outbound import Outbound, RemoteRejected, RemoteTooLarge, UrlRefused, guarded_session
from tests import pictures


class Imaging:
    """`render_image` with everything it needs."""

    def __init__(self, blobs: Blobs, renderer: Renderer, outbound: Outbound, site: str) -> None:
        self.blobs = blobs
        self.site = site
        self._renderer = renderer
        self._outbound = outbound

    async def render(self, source: str, fetching: Fetching | None = None, blobs: Blobs | None = None) -> ProcessedImage:
        return await render_image(
            source, blobs=blobs or self.blobs, renderer=self._renderer, outbound=self._outbound, fetching=fetching
        )


@pytest.fixture
async def imaging(tmp_path: Path) -> AsyncIterator[Imaging]:
    app = web.Application()

    async def picture(_: web.Request) -> web.Response:
        return web.Response(body=pictures.photo(1, 400, 300), content_type="application/octet-stream")

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>no picture</html>", content_type="image/jpeg")

    async def empty(_: web.Request) -> web.Response:
        return web.Response(content_type="image/jpeg")

    app.add_routes([web.get("/picture", picture), web.get("/page", page), web.get("/empty", empty)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    target = f"127.0.0.1:{runner.addresses[0][1]}"
    async with (
        open_blobs((tmp_path / "blobs").as_uri()) as blobs,
        open_renderer(workers=1) as renderer,
        guarded_session(allow=[target]) as outbound,
    ):
        yield Imaging(blobs, renderer, outbound, f"http://{target}")
    await runner.cleanup()


async def upload(imaging: Imaging, original: bytes) -> str:
    """Store an original as the gateway does; its source."""
    key = content_key("originals", original, "jpg")
    await imaging.blobs.put(key, original)
    return f"blob:{key}"


def files(folder: Path) -> dict[Path, bytes]:
    """Everything stored."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_an_upload_gets_every_rendition_stored(imaging: Imaging) -> None:
    source = await upload(imaging, pictures.photo())
    processed = await imaging.render(source)
    assert f"blob:{processed.original_key}" == source
    assert (processed.width, processed.height) == (1600, 1200)
    assert [(each.preset, each.format.value) for each in processed.renditions] == [
        (preset, form) for preset in ("thumb", "card", "page", "zoom") for form in ("webp", "jpg")
    ]
    for rendition in processed.renditions:
        assert len(await imaging.blobs.get(rendition.key)) == rendition.bytes
    assert processed.placeholder.startswith("data:image/webp;base64,")


async def test_a_remote_picture_is_kept_and_rendered(imaging: Imaging) -> None:
    processed = await imaging.render(f"{imaging.site}/picture")
    original = pictures.photo(1, 400, 300)
    assert processed.original_key == content_key("originals", original, "jpg")
    assert await imaging.blobs.get(processed.original_key) == original


async def test_a_second_run_writes_the_same_objects_and_answers_the_same(imaging: Imaging, tmp_path: Path) -> None:
    source = await upload(imaging, pictures.photo(2, 800, 600))
    first = await imaging.render(source)
    stored = files(tmp_path)
    assert len(stored) == 9
    assert await imaging.render(source) == first
    assert files(tmp_path) == stored


async def test_a_run_cut_short_while_storing_is_completed_by_the_next(imaging: Imaging) -> None:
    source = await upload(imaging, pictures.photo(3, 800, 600))
    with pytest.raises(Unavailable):
        await imaging.render(source, blobs=FailingBlobs(imaging.blobs))
    processed = await imaging.render(source)
    assert all([await imaging.blobs.exists(rendition.key) for rendition in processed.renditions])


class FailingBlobs(Blobs):
    """Takes the first two renditions only."""

    def __init__(self, real: Blobs) -> None:
        self._real = real
        self._left = 2

    async def get(self, key: str) -> bytes:
        return await self._real.get(key)

    async def put(self, key: str, content: bytes | Path, content_type: str | None = None) -> None:
        if not self._left:
            raise Unavailable("The object store is full.")
        self._left -= 1
        await self._real.put(key, content, content_type)


@pytest.mark.parametrize(
    ("path", "error"), [("/page", InvalidImage), ("/empty", InvalidImage), ("/missing", RemoteRejected)]
)
async def test_a_remote_file_that_is_no_picture_is_refused_and_not_kept(
    imaging: Imaging, tmp_path: Path, path: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await imaging.render(f"{imaging.site}{path}")
    assert files(tmp_path) == {}


async def test_caps_and_the_guard_hold_for_remote_pictures(imaging: Imaging) -> None:
    with pytest.raises(RemoteTooLarge):
        await imaging.render(f"{imaging.site}/picture", Fetching(max_bytes=1000))
    for source in ("http://169.254.169.254/", "file:///etc/passwd", "http://127.0.0.1:1/", "nonsense"):
        with pytest.raises(UrlRefused):
            await imaging.render(source)


async def test_uploads_that_are_gone_or_not_pictures_are_final(imaging: Imaging) -> None:
    with pytest.raises(BlobNotFound):
        await imaging.render("blob:originals/no/such.jpg")
    with pytest.raises(BlobNotFound):
        await imaging.render("blob:../../etc/passwd")
    with pytest.raises(InvalidImage):
        await imaging.render(await upload(imaging, pictures.NOT_PICTURES["svg"]))
    with pytest.raises(ImageTooLarge):
        await imaging.render(await upload(imaging, pictures.pixel_bomb()))
