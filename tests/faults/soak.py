"""`make soak MINUTES=20 SEED=1`: faults by chance under load, one every 20 seconds; ends in a table.

The seed decides the faults and what each of them draws. Two gateways run behind a balancing client; every other process
is alone. The exit code is 1 when anything was lost or happened twice.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import aiohttp

from tests.faults.passing import struck
from tests.faults.stand import Stand
from tests.faults.table import FAULTS, RESCUE_SECONDS, TOLERANCE, Fault
from tests.faults.verdict import Allowed, Verdict, settled
from tests.faults.workload import ANSWER_SECONDS, Book, Workload

EVERY_SECONDS: Final = 20.0
GATEWAYS: Final = 2
SAMPLE_SECONDS: Final = 2.0
SHORTEST_LIFE_SECONDS: Final = 60.0
"""Of younger processes nothing is said."""
PATIENCE_SECONDS: Final = RESCUE_SECONDS * TOLERANCE
MIB: Final = 1024 * 1024


@dataclass(slots=True)
class Memory:
    """Resident memory of every process over its life."""

    lives: dict[tuple[str, int], list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))

    async def watch(self, stand: Stand) -> None:
        """Sample for ever."""
        while True:
            for name, (pid, resident) in stand.resident_bytes().items():
                self.lives[name, pid].append((time.monotonic(), resident))
            await asyncio.sleep(SAMPLE_SECONDS)

    def slopes(self) -> Mapping[str, str]:
        """How each process grew over the second half of its longest life: in the first it grows into its work."""
        found: dict[str, str] = {}
        for (name, _), samples in sorted(self.lives.items(), key=lambda life: len(life[1])):
            lasted = samples[-1][0] - samples[0][0]
            grown = slope([each for each in samples if each[0] - samples[0][0] >= lasted / 2]) * 60 / MIB
            said = f"{grown:+.2f} MiB a minute over minutes {lasted / 120:.1f} to {lasted / 60:.1f} of a life"
            found[name] = said if lasted >= SHORTEST_LIFE_SECONDS else "lived under a minute"
        return found


@dataclass(slots=True)
class Answers:
    """How requests were answered while faults of one sort were at work, as the client behind the balancer sees it."""

    well: int = 0
    ill: int = 0

    def __str__(self) -> str:
        return f"{self.well / max(1, self.well + self.ill):.2%} of {self.well + self.ill}"


@dataclass(slots=True)
class Soaked:
    """What a soak has found."""

    book: Book
    recoveries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    memory: Memory = field(default_factory=Memory)
    of_replicas: Answers = field(default_factory=Answers)
    of_the_only: Answers = field(default_factory=Answers)
    verdict: Verdict = field(default_factory=Verdict)

    @contextmanager
    def counted(self, fault: Fault) -> Iterator[None]:
        """Count the answers of the block for this sort of fault."""
        well, ill = self.book.answered_well, len(self.book.answered_ill)
        yield
        answers = self.of_replicas if fault.is_of_replica else self.of_the_only
        answers.well += self.book.answered_well - well
        answers.ill += len(self.book.answered_ill) - ill


def slope(samples: Sequence[tuple[float, int]]) -> float:
    """The slope of a line through these, by least squares."""
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0


def chosen(seed: int, count: int, among: Sequence[Fault]) -> list[tuple[Fault, Random]]:
    """The faults of a seed, each with the chance it draws from: the same again for the same seed."""
    random = Random(seed)
    return [(random.choice(among), Random(random.getrandbits(64))) for _ in range(count)]


async def soak(stand: Stand, faults: Sequence[tuple[Fault, Random]], *, seed: int) -> Soaked:
    """Run, then wait until everything is final."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as http:
        async with Workload(stand, http, Random(seed), per_second=4.0) as workload:
            soaked = Soaked(workload.book)
            watching = asyncio.create_task(soaked.memory.watch(stand))
            for number, (fault, random) in enumerate(faults, start=1):
                next_at = time.monotonic() + EVERY_SECONDS
                with soaked.counted(fault):
                    seconds = await struck(stand, fault, random, workload, patience_seconds=PATIENCE_SECONDS)
                    await asyncio.sleep(max(0.0, next_at - time.monotonic()))
                soaked.recoveries[fault.name].append(seconds)
                print(f"{number:4} {fault.name:44} {seconds:6.1f} s", flush=True)
        allowed = Allowed(mail=True, live_mail=True, failures=True)
        soaked.verdict = await settled(stand, workload.book, allowed=allowed, patience_seconds=PATIENCE_SECONDS)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return soaked


def table(soaked: Soaked) -> str:
    """The figures as a page of Markdown."""
    book, verdict, recoveries = soaked.book, soaked.verdict, soaked.recoveries
    slowest = max(recoveries, key=lambda name: max(recoveries[name]))
    rows = [
        ("jobs accepted", verdict.accepted),
        ("completed", verdict.completed),
        ("failed", verdict.failed),
        ("cancelled", verdict.cancelled),
        ("lost", len(verdict.lost)),
        ("double effects", len(verdict.doubled)),
        ("mails sent again, same Message-ID", verdict.repeated_mails),
        ("jobs rescued", verdict.rescued),
        ("other complaints", len(verdict.wrong)),
        ("faults", sum(map(len, recoveries.values()))),
        ("longest recovery", f"{max(recoveries[slowest]):.1f} s ({slowest})"),
        ("everything final after", f"{verdict.settled_seconds:.1f} s"),
        ("requests answered well while only replicas are hurt", soaked.of_replicas),
        ("… while the only database, broker or jobs API is hurt", soaked.of_the_only),
        ("statistics sampled", f"{book.samples}, wrong {len(book.wrong_samples)}"),
    ]
    slopes = [(f"memory of {name}", grown) for name, grown in sorted(soaked.memory.slopes().items())]
    lines = [f"| {name} | {value} |" for name, value in (*rows, *slopes)]
    return "\n".join(("| soak | |", "|---|---|", *lines))


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicas", action="store_true", help="only faults of processes beside which others live")
    given = parser.parse_args()
    print(f"{given.minutes:g} minutes, seed {given.seed}")
    among = tuple(fault for fault in FAULTS if fault.is_of_replica or not given.replicas)
    faults = chosen(given.seed, round(given.minutes * 60 / EVERY_SECONDS), among)
    with tempfile.TemporaryDirectory(prefix="souk-soak-") as folder:
        stand = Stand(Path(folder), gateways=GATEWAYS)
        stand.start()
        try:
            soaked = asyncio.run(soak(stand, faults, seed=given.seed))
        finally:
            stand.stop()
    print(table(soaked))
    for complaint in (*soaked.verdict.complaints, *(f"ill answer: {each}" for each in soaked.book.answered_ill)):
        print(complaint)
    return 1 if soaked.verdict.lost or soaked.verdict.doubled else 0


if __name__ == "__main__":
    sys.exit(main())
