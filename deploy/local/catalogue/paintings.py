"""The pictures of the goods: painted once, kept as files, so that a second run finds them."""

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from deploy.local.catalogue.goods import GOODS
from deploy.local.catalogue.still_lifes import still_life
from deploy.local.pictures import encoded

SIZE = (1600, 1200)
FIRST_SEED = 101
"""Above the seeds that the demo and the tests use: nobody's picture is another's."""


class Paintings:
    """A folder of JPEG files, one per product, filled by other processes: a picture takes 0.15 s of a core."""

    def __init__(self, folder: Path, painters: ProcessPoolExecutor) -> None:
        self._folder = folder
        self._painters = painters

    async def of(self, number: int) -> bytes:
        """The picture of the `number`th product. The same bytes on every machine with the same Pillow."""
        file = self._folder / f"{number:02}.jpg"
        if not await asyncio.to_thread(file.exists):
            await asyncio.get_running_loop().run_in_executor(self._painters, paint, file, FIRST_SEED + number)
        return await asyncio.to_thread(file.read_bytes)


@contextmanager
def open_paintings(folder: Path) -> Iterator[Paintings]:
    """The folder with its painters; none is started for pictures that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    painters = ProcessPoolExecutor(
        max_workers=os.cpu_count() or 1, mp_context=get_context("spawn"), initializer=_leave_ctrl_c_to_the_parent
    )
    try:
        yield Paintings(folder, painters)
    finally:
        painters.shutdown(cancel_futures=True)


def paint(file: Path, seed: int) -> None:
    """Paint one picture into `file`. A crash leaves no half picture, only a draft that nobody reads."""
    draft = file.with_suffix(f".{os.getpid()}.draft")
    category = GOODS[(seed - FIRST_SEED) % len(GOODS)].category
    draft.write_bytes(encoded(still_life(seed, category, *SIZE), "JPEG", quality=88))
    draft.replace(file)


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
