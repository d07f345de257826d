"""Rendering in children that can be killed: this process never decodes a picture.

N warm children (`services.imaging.child`) wait for originals. One that uses too much CPU, memory or time, dies, or has
done its share of pictures is replaced by a fresh one in the background, so that starting Python and loading the
decoders (some 200 ms) is no part of a job. Own and small rather than a process pool of a library: those fork or pickle,
which a process with an event loop and hostile input should not do.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from services.imaging.errors import ImageTooLarge, InvalidImage, RendererCrashed, RenderTimeout
from services.imaging.framing import (
    LENGTH_BYTES,
    MAX_HEADER_BYTES,
    ProtocolBroken,
    content_sizes,
    length_prefix,
    parse_header,
    rendered_from,
)
from services.imaging.kinds import check_size_and_kind
from services.imaging.models import Rendered
from shared.log import get_logger

log = get_logger(__name__)

_ROOT: Final = Path(__file__).parents[2]
_START_SECONDS: Final = 30.0
_RESTART_DELAY_SECONDS: Final = 1.0
_CHILD_ENVIRONMENT: Final = {
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "1",  # else each decoder thread reserves 64 MiB of the address space that is limited
    "OMP_NUM_THREADS": "1",
}
"""All a child inherits: no secrets."""


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """What one picture may cost. A 40-megapixel picture of an honest kind takes 2 to 3 s of CPU and up to 700 MiB."""

    cpu_seconds: int = 10
    wall_seconds: float = 30.0
    memory_bytes: int = 1_536 * 1024 * 1024
    pictures_per_child: int = 200


class _ChildDied(Exception):
    """The pipe ended before the answer did. `status` is the exit status, negative for a signal."""

    def __init__(self, status: int) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


class _Child:
    """One running child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pictures = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, limits: RenderLimits) -> Self:
        """Start a child and wait until it is ready. Raises `RendererCrashed` if it does not get there."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-E", "-W", "ignore", "-m", "services.imaging.child"),
            *(str(os.getpid()), str(limits.memory_bytes), str(limits.cpu_seconds)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=_ROOT,
            env=_CHILD_ENVIRONMENT,
        )
        child = cls(process)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child._header()
        except (TimeoutError, _ChildDied, ProtocolBroken) as exc:
            await child.kill()
            raise RendererCrashed(f"The renderer does not start: {exc!r}.") from exc
        except BaseException:
            await child.kill()
            raise
        return child

    async def render(self, original: bytes) -> Rendered:
        """Raises what the child answers; `_ChildDied` or `ProtocolBroken` mean that it can't be used any more."""
        self.pictures += 1
        assert self._process.stdin is not None
        with suppress(ConnectionError):  # it died: reading says with which status
            self._process.stdin.writelines([length_prefix(original), original])
            await self._process.stdin.drain()
        header = await self._header()
        match header.get("refused"):
            case None:
                contents = [await self._read(size) for size in content_sizes(header)]
                return rendered_from(header, contents)
            case InvalidImage.code:
                raise InvalidImage(str(header.get("detail")))
            case ImageTooLarge.code:
                raise ImageTooLarge(str(header.get("detail")))
            case _:
                raise ProtocolBroken(str(header.get("detail")))

    async def kill(self) -> None:
        """End the process, whatever it does, and reap it."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._reaped()

    async def _reaped(self) -> int:
        """The exit status, with both pipes closed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = await self._process.wait()
        with suppress(ConnectionError):
            await self._process.stdin.wait_closed()
        return status

    async def _header(self) -> dict[str, Any]:
        size = int.from_bytes(await self._read(LENGTH_BYTES), "big")
        if size > MAX_HEADER_BYTES:
            raise ProtocolBroken("the header is too long")
        return parse_header(await self._read(size))

    async def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        try:
            return await self._process.stdout.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError) as exc:
            raise _ChildDied(await self._reaped()) from exc


class Renderer:
    """A pool of children. Made by `open_renderer`; `render` may be called by any number of tasks."""

    def __init__(self, limits: RenderLimits) -> None:
        self._limits = limits
        self._children: set[_Child] = set()
        self._idle: asyncio.Queue[_Child] = asyncio.Queue()
        self._replacing: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    async def render(self, original: bytes) -> Rendered:
        """Render one picture in the next free child; waits for one as long as the caller lets it.

        Not retryable: `InvalidImage`, `ImageTooLarge` (bytes, pixels, memory, or more CPU than a picture may use).
        Retryable: `RenderTimeout` (wall time, so a busy machine) and `RendererCrashed`. Cancelling kills the child.
        """
        check_size_and_kind(original)
        child = await self._idle.get()
        is_usable = False
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                rendered = await child.render(original)
            is_usable = True
        except (InvalidImage, ImageTooLarge):
            is_usable = True
            raise
        except TimeoutError as exc:
            raise RenderTimeout(f"The picture was not rendered in {self._limits.wall_seconds:g} s.") from exc
        except _ChildDied as exc:
            if exc.status == -signal.SIGXCPU:
                raise ImageTooLarge(f"The picture needs more than {self._limits.cpu_seconds} s of CPU.") from exc
            raise RendererCrashed(f"The renderer died with {_status_name(exc.status)}.") from exc
        except ProtocolBroken as exc:
            raise RendererCrashed(f"The renderer failed: {exc}.") from exc
        finally:
            if is_usable and child.pictures < self._limits.pictures_per_child:
                self._idle.put_nowait(child)
            else:
                self._replace(child)
        return rendered

    async def start(self, workers: int) -> None:
        """Start the children, all at once. Raises `RendererCrashed` if one does not come up."""
        started = await asyncio.gather(*(self._add_child() for _ in range(workers)), return_exceptions=True)
        for failure in started:  # looked at only when no child is still starting, so that `stop` finds all
            if isinstance(failure, BaseException):
                raise failure

    async def stop(self) -> None:
        """Kill every child; one at work ends its `render` with `RendererCrashed`. Nothing is started any more."""
        self._is_stopping = True
        await asyncio.gather(*(child.kill() for child in self._children))
        # Not cancelled: a subprocess whose start is cancelled half way has nobody to reap it.
        await asyncio.gather(*self._replacing, return_exceptions=True)

    async def _add_child(self) -> _Child:
        child = await _Child.start(self._limits)
        if self._is_stopping:
            await child.kill()
            return child
        self._children.add(child)
        self._idle.put_nowait(child)
        return child

    def _replace(self, child: _Child) -> None:
        if self._is_stopping:  # and has killed this one too
            return
        task = asyncio.create_task(self._replaced(child), name=f"replace renderer child {child.pid}")
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    async def _replaced(self, child: _Child) -> None:
        """Put a fresh child into the place of one that is done with, trying until one starts."""
        await child.kill()
        self._children.discard(child)
        while not self._is_stopping:
            try:
                fresh = await self._add_child()
            except (RendererCrashed, OSError) as exc:
                log.error("renderer_child_not_started", error=str(exc))
                await asyncio.sleep(_RESTART_DELAY_SECONDS)
            else:
                log.info("renderer_child_replaced", old_pid=child.pid, new_pid=fresh.pid, pictures=child.pictures)
                return


@asynccontextmanager
async def open_renderer(*, workers: int, limits: RenderLimits | None = None) -> AsyncIterator[Renderer]:
    """Run `workers` children for the time of the block; one per core is right."""
    renderer = Renderer(limits or RenderLimits())
    try:
        await renderer.start(workers)
        yield renderer
    finally:
        await renderer.stop()


def _status_name(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
