"""Strangers' programs, made by schemathesis of the document alone, find nothing that is not as it says.

All of its checks: no 5xx, statuses, headers and bodies as documented, what does not fit refused, what fits taken,
credentials asked for, nothing used after it was deleted.
"""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.docs import DOCS, OPENAPI
from shared.web.identity import Role
from tests.factories import make_approved, make_product, order
from tests.integration.catalog.accounts.browser import browser
from tests.integration.catalog.conftest import Client, Gateway

TAKEN = ["2xx", "304", "403", "404", "409", "412"]
"""What becomes of a request that fits: 403 where the key's role fits and its scope does not, 412 for a version."""
RULES = {
    "changeMe": "an address or a password needs the present password",
    "changeProduct": "something is to be changed",
    "changeVendor": "something is to be changed",
    "changeMember": "something is to be changed",
    "readJobs": "`job` needs an id",
    "actOnJobs": "`retry` needs an id",
    "listJobs": "`q` and `cause` exclude each other",
    "decideProduct": "a rejection has reasons, an approval none",
    "markNotificationsRead": "either ids or all",
    "createSource": "a pull has an address, a push none",
    "changeSource": "a pull has an address, a push none",
    "setSourceNames": "the products are the vendor's own",
    "adjustLevels": "the products are the vendor's own",
    "placeOrder": "the products are on sale",
    "enqueueJob": "each type has its own payload",
    "actOnManyJobs": "not every state can be told everything",
    "subscribeToPush": "a key is a point of its curve",
    "requestOwnReport": "a period begins before it ends, and is over",
    "requestAnyReport": "a period begins before it ends, and is over",
    "replacePreferences": "each role hears of kinds of its own",
}
"""Operations with a rule between values that a schema does not say: what fits the schema may be 422 there."""
HERE = Path(__file__).parent
SETTINGS = f"""
hooks = "{HERE / "hooks.py"}"
request-timeout = 10
max-stream-events = 1
[generation]
allow-x00 = false  # said once for all texts, and not in each schema
[checks.positive_data_acceptance]
expected-statuses = {json.dumps(TAKEN)}
[checks.missing_required_header]
expected-statuses = ["401", "403", "415", "422", "428"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "412", "415", "422", "428"]
"""
CASES = re.compile(r"(\d+) generated")


@pytest.fixture
def gateway_settings(gateway_settings: Any) -> Any:
    """Shares that nobody uses up."""
    shares = {name: 10_000_000 for name in type(gateway_settings).model_fields if name.startswith("limit_")}
    return gateway_settings.model_copy(update=shares)


async def test_some_hundred_cases_find_nothing(gateway: Gateway, shop: None, tmp_path: Path) -> None:
    assert await cases(gateway, tmp_path, phases="examples,fuzzing", most=2) >= 300


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_five_thousand_cases_find_nothing(gateway: Gateway, shop: None, tmp_path: Path) -> None:
    assert await cases(gateway, tmp_path, phases="examples,coverage,fuzzing,stateful", most=20) >= 5000


@pytest.fixture
async def shop(vendor: Client, admin: Client, channel: Client) -> None:
    """Something to be found."""
    product = await make_approved(vendor, admin)
    for _ in range(3):
        await make_product(vendor)
    async with channel.post("/api/orders", json=order((product["id"], 2))) as answer:
        assert answer.status == 201, await answer.text()
    letter = {"type": "cleanup-cache", "payload": {}}
    async with admin.post("/api/admin/jobs/enqueue", json=letter) as answer:
        assert answer.status == 201, await answer.text()


async def own_ids(gateway: Gateway) -> list[str]:
    """What nobody is to lose while it runs: their keys, and the vendor."""
    accounts = gateway.accounts
    found = [str(accounts.vendors[0].vendor_id)]
    for key in (accounts.admin.api_key, accounts.ops.api_key, accounts.channel_api_key, accounts.vendors[0].api_key):
        async with browser(gateway.url, Authorization=f"Bearer {key}") as client, client.get("/api/api-keys") as answer:
            found += [item["id"] for item in (await answer.json())["items"]]
    return found


async def cases(gateway: Gateway, folder: Path, *, phases: str, most: int) -> int:
    """Run it in a process of its own; how many cases it made. What it finds is an AssertionError with its report."""
    settings = folder / "schemathesis.toml"
    settings.write_text(settings_for(gateway))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run", str(DOCS / OPENAPI)),
        *("--url", gateway.url, "--phases", phases, "--max-examples", str(most)),
        *("--mode", "all", "--checks", "all", "--continue-on-failure", "--seed", "1", "--generation-deterministic"),
        *("--no-color", "--suppress-health-check", "all", "--warnings", "off"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "OWN_IDS": " ".join(await own_ids(gateway))},  # noqa: TID251 - passed on
    )
    told, _ = await process.communicate()
    text = told.decode()
    print(text)  # pytest shows it with -rP
    assert process.returncode == 0, text
    made = CASES.search(text)
    assert made is not None, text
    return int(made[1])


def settings_for(gateway: Gateway) -> str:
    """Each operation is called by somebody who may. A cursor that was made up is refused, and so is a
    key that was another thing's."""
    keys = {
        Role.ADMIN: gateway.accounts.admin.api_key,
        Role.OPS: gateway.accounts.ops.api_key,
        Role.CHANNEL: gateway.accounts.channel_api_key,
        Role.VENDOR: gateway.accounts.vendors[0].api_key,
    }
    document = json.loads((DOCS / OPENAPI).read_bytes())
    callers: dict[Role, list[str]] = {role: [] for role in keys}
    for methods in document["paths"].values():
        for operation in methods.values():
            if operation["x-roles"] != ["public"]:
                callers[Role(operation["x-roles"][0])].append(operation["operationId"])
    parts = [
        f"[[operations]]\ninclude-operation-id = {json.dumps(names)}\n"
        f'headers = {{ Authorization = "Bearer {keys[role]}" }}\n'
        for role, names in callers.items()
        if names
    ]
    refusing = [
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if operation["operationId"] in RULES or names_of(operation) & {"cursor", "Idempotency-Key"}
    ]
    taken = f"checks.positive_data_acceptance.expected-statuses = {json.dumps([*TAKEN, '422'])}"
    parts.append(f"[[operations]]\ninclude-operation-id = {json.dumps(refusing)}\n{taken}\n")
    taken = f"checks.positive_data_acceptance.expected-statuses = {json.dumps([*TAKEN, '401'])}"
    parts.append(f'[[operations]]\ninclude-operation-id = "signIn"\n{taken}\n')
    return "\n".join([SETTINGS, *parts])


def names_of(operation: dict[str, Any]) -> set[str]:
    """What its parameters are called."""
    return {of.get("name", of.get("$ref", "").rpartition("/")[2]) for of in operation.get("parameters", ())}
