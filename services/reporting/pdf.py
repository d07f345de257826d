"""Reports as PDF, an extra (requirements/pdf.txt): the page is laid out by WeasyPrint in a process of its own.

Laying out takes seconds of CPU and a good part of a hundred megabytes, which this process needs for its events. Run as
`python -m services.reporting.pdf` it is that process: the page comes in at its standard input.
"""

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Hashable
from importlib.util import find_spec
from typing import Final

from services.reporting.errors import PdfNotInstalled, PdfNotMade

MOST_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 4.0
"""The gateway waits five for an answer."""
KEPT: Final = 16
CANNOT_LOAD: Final = 3
"""The exit code where the library is there, and the system's Pango is not."""
ADVICE: Final = "install requirements/pdf.txt and, on Debian, libpango-1.0-0 and libpangoft2-1.0-0"


def is_installed() -> bool:
    """Whether the library is; what it needs of the system is seen at the first page."""
    return find_spec("weasyprint") is not None


class Pdfs:
    """The PDFs asked for last, one laid out at a time. Who waits too long for one finds it ready when asking again."""

    def __init__(self) -> None:
        self._asked: OrderedDict[Hashable, asyncio.Task[bytes]] = OrderedDict()
        self._one = asyncio.Semaphore(1)

    async def of(self, key: Hashable, page: bytes) -> bytes:
        """The page as it is printed; the same `key` is the same page. Raises `PdfNotInstalled`, `PdfNotMade`."""
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._in_turn(page))
            if len(self._asked) > KEPT:
                self._asked.popitem(last=False)[1].cancel()
        done, _ = await asyncio.wait((task,), timeout=ANSWER_SECONDS)
        if not done:
            raise PdfNotMade("The PDF is being laid out: ask again in a few seconds.", retry_after_seconds=3)
        if task.cancelled() or task.exception() is not None:
            self._asked.pop(key, None)
        if task.cancelled():
            raise PdfNotMade("Too many PDFs are asked for at once: ask again.", retry_after_seconds=3)
        return task.result()

    async def close(self) -> None:
        """End what is being laid out."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def _in_turn(self, page: bytes) -> bytes:
        async with self._one:
            return await pdf_of(page)


async def pdf_of(page: bytes) -> bytes:
    """The page as it is printed. Raises `PdfNotInstalled` and `PdfNotMade`; the child is gone in any case."""
    if not is_installed():
        raise PdfNotInstalled(f"PDF is not installed here: {ADVICE}. HTML, CSV and XLSX are.")
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(MOST_SECONDS):
            out, err = await child.communicate(page)
    except TimeoutError as exc:
        raise PdfNotMade(f"The PDF was not laid out within {MOST_SECONDS:g} s.", retry_after_seconds=60) from exc
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode == CANNOT_LOAD:
        raise PdfNotInstalled(f"PDF does not work here: {ADVICE}. HTML, CSV and XLSX do.")
    if child.returncode != 0:
        raise PdfNotMade(
            f"The PDF could not be laid out: {err.decode(errors='replace')[-300:]}", retry_after_seconds=60
        )
    return out


def main() -> int:
    """Lay out one page. It may fetch nothing: whatever it needs is in it."""
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as exc:  # the library of the system that it binds to
        sys.stderr.write(str(exc))
        return CANNOT_LOAD

    page = HTML(string=sys.stdin.buffer.read().decode(), url_fetcher=URLFetcher(allowed_protocols=("data",)))
    sys.stdout.buffer.write(page.write_pdf(pdf_variant="pdf/ua-1"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
