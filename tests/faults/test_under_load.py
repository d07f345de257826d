"""Each fault of the table under load: nothing is lost, nothing happens twice, and all goes on in time."""

from random import Random

import pytest

from tests.faults.passing import passed
from tests.faults.stand import Stand
from tests.faults.table import FAULTS, Fault


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=fault.name.replace(" ", "-"), marks=[] if fault.is_quick else [pytest.mark.long])
        for fault in FAULTS
    ],
)
async def test_nothing_is_lost_and_nothing_happens_twice(stand: Stand, fault: Fault, chance: Random, seed: int) -> None:
    outcome = await passed(stand, fault, chance)
    print(
        f"{fault.name}: recovered in {outcome.recovery_seconds:.1f} s, settled in "
        f"{outcome.verdict.settled_seconds:.1f} s, {outcome.verdict}"
    )
    assert outcome.complaints() == [], f"--seed {seed}"
    assert outcome.verdict.accepted > 0
    assert outcome.book.samples > 0
