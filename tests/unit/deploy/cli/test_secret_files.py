"""The secrets of an installation, and that the compose file gives each process just what it reads."""

import base64
import hashlib
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy.configuration import PROCESSES
from deploy.local.programs import BLUEPRINTS, Blueprint
from deploy.local.settings import CLONE
from deploy.secret_files import make_secrets
from shared.messaging import topology

COMPOSE = CLONE / "deploy" / "compose.yaml"


def test_they_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = make_secrets(folder)
    before = {path: path.read_text() for path in made if path.name != "definitions.json"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o444}
    assert make_secrets(folder) == made
    assert {path: path.read_text() for path in before} == before
    assert sorted(folder.iterdir()) == made


def test_the_broker_gets_no_guest_and_each_process_its_rights_and_its_password(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    loaded = json.loads((tmp_path / "definitions.json").read_text())
    users = {each["name"]: each for each in loaded["users"]}
    rights = {each["user"]: each for each in loaded["permissions"]}
    assert users.keys() == {"souk", "topology", "monitor", *(blueprint.name for blueprint in BLUEPRINTS)}
    assert {name: each["tags"] for name, each in users.items() if each["tags"]} == {
        "souk": "administrator",
        "monitor": "monitoring",
    }
    assert {rights["monitor"][right] for right in ("configure", "write", "read")} == {"^$"}
    for blueprint in BLUEPRINTS:
        may = topology.permissions(blueprint.name)
        given = rights[blueprint.name]
        assert (given["configure"], given["write"], given["read"]) == (may.configure, may.write, may.read)
    salted = base64.b64decode(users["imaging"]["password_hash"])
    password = (tmp_path / "broker-imaging").read_bytes()
    assert hashlib.sha256(salted[:4] + password).digest() == salted[4:]
    assert password.decode() in (tmp_path / "broker-imaging.url").read_text()


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file."""
    with COMPOSE.open() as file:
        return dict(YAML(typ="safe").load(file))


def environment(service: dict[str, Any], compose: dict[str, Any], secrets: Path) -> dict[str, str]:
    """What a container sees where nothing is set on the host, its secrets where they were made."""
    files = {name: secrets / Path(each["file"]).name for name, each in compose["secrets"].items()}
    found = {}
    for name, value in service["environment"].items():
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
        if text.startswith("/run/secrets/"):
            mounted = text.removeprefix("/run/secrets/")
            assert mounted in service["secrets"], f"{mounted} is not mounted"
            text = str(files[mounted])
        found[name] = text
    return found


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda blueprint: blueprint.name)
def test_a_process_is_given_all_that_it_needs_and_no_more(
    blueprint: Blueprint, compose: dict[str, Any], tmp_path: Path
) -> None:
    make_secrets(tmp_path)
    service = compose["services"][blueprint.name]
    assert tuple(service["command"]) == blueprint.arguments
    given = environment(service, compose, tmp_path)
    settings, refusals = PROCESSES[blueprint.name].parse(given)
    assert (settings is not None, refusals) == (True, [])
    own = {f"SOUK_{field.upper()}" for field in PROCESSES[blueprint.name].model_fields}
    assert {name.removesuffix("_FILE") for name in given} <= own
    assert len(service["secrets"]) == sum(name.endswith("_FILE") for name in given)


def test_every_secret_that_is_mounted_is_made(compose: dict[str, Any], tmp_path: Path) -> None:
    made = {path.name for path in make_secrets(tmp_path)}
    assert {Path(each["file"]).name for each in compose["secrets"].values()} <= made


def test_every_process_can_be_scaled_and_waits_for_what_it_needs(compose: dict[str, Any]) -> None:
    for blueprint in BLUEPRINTS:
        service = compose["services"][blueprint.name]
        assert "container_name" not in service
        assert ("ports" in service) == (blueprint.name == "gateway")
        conditions = {name: each["condition"] for name, each in service["depends_on"].items()}
        assert conditions["rabbitmq"] == "service_healthy"
        assert conditions["migrate"] == conditions["topology"] == "service_completed_successfully"


def test_nothing_is_published_beyond_this_host(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in ports), ports
