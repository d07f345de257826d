"""The process that decodes: `python -m services.imaging.child <parent pid> <memory bytes> <CPU seconds>`.

Reads originals from its standard input and answers on its standard output (`services.imaging.framing`), one after the
other, until the input ends. It keeps nothing, writes no file, and dies with its parent. What it can't refuse politely
kills it: too much CPU by SIGXCPU, a decoder's bug by SIGSEGV; the parent tells these apart by the exit status.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
from typing import Any, BinaryIO, Final

from PIL import AvifImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from services.imaging.errors import ImageTooLarge, InvalidImage
from services.imaging.framing import LENGTH_BYTES, header_and_contents, length_prefix
from services.imaging.thumbnails import render

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_NICENESS: Final = 5
"""Decoding gives way to the event loop beside it, whose broker heartbeats must not be late."""

PLUGINS: Final = (AvifImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)
"""Imported here, before the first picture, and the only decoders there are."""


def main(parent_pid: int, memory_bytes: int, cpu_seconds: int) -> None:
    """Serve originals until the input ends."""
    requests, answers = _private_pipes()
    _confine(parent_pid, memory_bytes)
    Image.preinit = Image.init = lambda: True  # type: ignore[assignment] # never load the other plugins
    _answer(answers, {"ready": True})
    while prefix := requests.read(LENGTH_BYTES):
        original = requests.read(int.from_bytes(prefix, "big"))
        _allow_cpu(cpu_seconds)
        _answer(answers, *_rendered(original))


def _rendered(original: bytes) -> tuple[dict[str, Any], list[bytes]]:
    try:
        return header_and_contents(render(original))
    except (InvalidImage, ImageTooLarge) as exc:
        return {"refused": exc.code, "detail": exc.detail}, []
    except MemoryError:
        return {"refused": ImageTooLarge.code, "detail": "The picture needs more memory than one may have."}, []
    except Exception as exc:  # noqa: BLE001 - a bug, told to the parent, which logs it and starts another child
        return {"refused": "failed", "detail": f"{type(exc).__name__}: {exc}"[:500]}, []


def _answer(answers: BinaryIO, header: dict[str, Any], contents: list[bytes] | None = None) -> None:
    raw = json.dumps(header).encode()
    answers.writelines([length_prefix(raw), raw, *(contents or [])])
    answers.flush()


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes under descriptors of their own; what anybody prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, answers


def _confine(parent_pid: int, memory_bytes: int) -> None:
    """Die with the parent; no new rights, no core dump, no files, at most `memory_bytes` of address space."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the line above
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    os.nice(_NICENESS)


def _allow_cpu(seconds: int) -> None:
    """Let this process use `seconds` more of CPU; then the kernel ends it. RLIMIT_CPU counts from its start."""
    spent = int(time.process_time()) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds, hard))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    main(*map(int, sys.argv[1:]))
