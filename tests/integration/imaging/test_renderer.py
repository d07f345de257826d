"""Real children under real limits: what hostile pictures cost, and that the pool is whole again afterwards."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from services.imaging.errors import ImageTooLarge, InvalidImage, RendererCrashed, RenderTimeout
from services.imaging.renderer import Renderer, RenderLimits, open_renderer
from services.imaging.thumbnails import render
from tests import pictures

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    async with open_renderer(workers=1) as opened:
        yield opened


def children() -> list[int]:
    """The renderer children of this process that are alive."""
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in listed if b"services.imaging.child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def proc(pid: int, name: str) -> str:
    """What the kernel tells of a process."""
    return Path(f"/proc/{pid}/{name}").read_text()


async def test_a_child_renders_what_the_pure_function_does(renderer: Renderer) -> None:
    for original in (pictures.photo(1), pictures.oriented(6), pictures.polyglot(), pictures.flat_png(300, 20)):
        assert await renderer.render(original) == render(original)


async def test_what_is_refused_leaves_the_child_alive(renderer: Renderer) -> None:
    before = children()
    for original, error in (
        (pictures.truncated(pictures.photo()), InvalidImage),
        (pictures.png_with_text(50_000_000), InvalidImage),
        (pictures.NOT_PICTURES["svg"], InvalidImage),
        (b"", InvalidImage),
        (pictures.pixel_bomb(), ImageTooLarge),
        (pictures.flat_png(6400, 6400), ImageTooLarge),
        (b"\xff\xd8\xff" + bytes(15_000_000), ImageTooLarge),
    ):
        with pytest.raises(error):
            await renderer.render(original)
    assert await renderer.render(pictures.photo(2, 200, 100))
    assert children() == before


async def test_a_picture_that_costs_too_much_cpu_is_refused_for_good_and_its_child_replaced() -> None:
    async with open_renderer(workers=1, limits=RenderLimits(cpu_seconds=1)) as renderer:
        before = children()
        started = time.monotonic()
        with pytest.raises(ImageTooLarge, match="CPU") as refused:
            await renderer.render(pictures.scan_bomb())
        assert time.monotonic() - started < 10
        assert not refused.value.retryable
        assert await renderer.render(pictures.photo(2, 200, 100))
        assert len(children()) == 1
        assert children() != before


async def test_the_cpu_limit_is_for_each_picture_not_for_all() -> None:
    async with open_renderer(workers=1, limits=RenderLimits(cpu_seconds=1)) as renderer:
        before = children()
        for seed in range(10):
            await renderer.render(pictures.photo(seed, 1400, 1000))
        assert children() == before


async def test_a_picture_that_needs_too_much_memory_is_refused() -> None:
    async with open_renderer(workers=1, limits=RenderLimits(memory_bytes=200 * 1024 * 1024)) as renderer:
        with pytest.raises(ImageTooLarge, match="memory"):
            await renderer.render(pictures.encoded(Image.new("RGB", (6000, 6000)), "PNG"))
        assert await renderer.render(pictures.photo(2, 200, 100))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_the_largest_honest_pictures_fit_the_default_limits(renderer: Renderer, form: str) -> None:
    options = {"JPEG": {"progressive": True, "subsampling": 0}, "PNG": {"compress_level": 1}, "WEBP": {"method": 0}}
    mode = "RGB" if form == "JPEG" else "RGBA"
    picture = pictures.painting(3, 790, 500).resize((7900, 5000)).convert(mode)
    if mode == "RGBA":
        picture.putalpha(100)
    rendered = await renderer.render(pictures.encoded(picture, form, **options[form]))
    assert (rendered.width, rendered.height) == (7900, 5000)


async def test_a_child_that_hangs_is_killed_after_the_wall_time_and_the_picture_may_come_again() -> None:
    async with open_renderer(workers=1, limits=RenderLimits(wall_seconds=0.3)) as renderer:
        [child] = children()
        os.kill(child, signal.SIGSTOP)
        with pytest.raises(RenderTimeout) as failed:
            await renderer.render(pictures.photo(2, 200, 100))
        assert failed.value.retryable
        assert await renderer.render(pictures.photo(2, 200, 100))
        assert child not in children()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
async def test_a_child_that_dies_at_work_is_replaced_and_the_picture_may_come_again(
    renderer: Renderer, number: signal.Signals
) -> None:
    [child] = children()
    rendering = asyncio.create_task(renderer.render(pictures.scan_bomb()))
    await asyncio.sleep(0.2)
    os.kill(child, number)
    with pytest.raises(RendererCrashed, match=number.name) as failed:
        await rendering
    assert failed.value.retryable
    assert await renderer.render(pictures.photo(2, 200, 100))


async def test_a_child_that_died_while_idle_costs_one_retry(renderer: Renderer) -> None:
    [child] = children()
    os.kill(child, signal.SIGKILL)
    with pytest.raises(RendererCrashed):
        await renderer.render(pictures.photo())
    assert await renderer.render(pictures.photo(2, 200, 100))


async def test_cancelling_kills_the_child_and_the_pool_is_whole_again(renderer: Renderer) -> None:
    [child] = children()
    rendering = asyncio.create_task(renderer.render(pictures.scan_bomb()))
    await asyncio.sleep(0.2)
    rendering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rendering
    assert await renderer.render(pictures.photo(2, 200, 100))
    assert child not in children()


async def test_a_child_is_retired_after_its_share_of_pictures() -> None:
    async with open_renderer(workers=1, limits=RenderLimits(pictures_per_child=2)) as renderer:
        seen = set()
        for seed in range(6):
            await renderer.render(pictures.photo(seed, 120, 80))
            seen |= set(children())
        assert len(seen) >= 3


async def test_several_pictures_share_the_children_and_the_loop_stays_free() -> None:
    async with open_renderer(workers=2) as renderer:
        longest = 0.0

        async def watch() -> None:
            nonlocal longest
            while True:
                started = time.monotonic()
                await asyncio.sleep(0.005)
                longest = max(longest, time.monotonic() - started)

        watching = asyncio.create_task(watch())
        results = await asyncio.gather(*(renderer.render(pictures.photo(seed)) for seed in range(1, 9)))
        watching.cancel()
        assert len({result.files[0].content for result in results}) == 8
        assert longest < 0.5
        assert len(children()) == 2


async def test_no_child_outlives_the_block_even_when_one_is_at_work() -> None:
    async with open_renderer(workers=2) as renderer:
        rendering = asyncio.create_task(renderer.render(pictures.scan_bomb()))
        await asyncio.sleep(0.1)
        assert len(children()) == 2
    with pytest.raises(RendererCrashed):
        await rendering
    assert children() == []


async def test_children_see_no_environment_and_write_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUK_CATALOG_KEY", "secret")
    async with open_renderer(workers=1):
        [child] = children()
        assert "SOUK" not in proc(child, "environ")
        assert "NoNewPrivs:\t1" in proc(child, "status")
        for limit in ("Max core file size", "Max file size"):
            [line] = [line for line in proc(child, "limits").splitlines() if line.startswith(limit)]
            assert line.removeprefix(limit).split()[:2] == ["0", "0"]


def test_children_die_with_a_parent_that_is_killed_outright() -> None:
    script = (
        "import asyncio\n"
        "from services.imaging.renderer import open_renderer\n"
        "from tests import pictures\n"
        "async def main():\n"
        "    async with open_renderer(workers=2) as renderer:\n"
        "        asyncio.ensure_future(renderer.render(pictures.scan_bomb()))\n"
        "        await asyncio.sleep(0.2)\n"
        "        print('working', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "working\n"
        listed = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        assert len(listed) == 2
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 5
    while any(_is_running(pid) for pid in listed):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_running(pid: str) -> bool:
    try:
        return "services.imaging.child" in Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_parent_imports_no_decoder() -> None:
    script = "import sys, services.imaging.usecases\nprint([name for name in sys.modules if name.startswith('PIL')])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
