"""The settings of all processes together: what the page says, and that one name means one thing."""

import pytest

from deploy.configuration import PROCESSES, READERS, configuration_page, entries
from deploy.local.programs import BLUEPRINTS, Blueprint, Wiring, environment_of, replicas_of
from shared.setting import described
from shared.setting_names import KNOWN
from tests.unit.deploy.cli.environments import KEY, VALUES

ONLY_THE_MAIL_SINK = {"SOUK_STATE_DIR"}


def test_every_process_has_its_class() -> None:
    assert set(PROCESSES) == {blueprint.name for blueprint in BLUEPRINTS}


def test_the_known_names_are_those_that_somebody_reads() -> None:
    read = {name for entry in entries() for name in entry.setting.names} | ONLY_THE_MAIL_SINK
    assert read == KNOWN, "add to shared/setting_names.py, or take out of it, what differs"


@pytest.mark.parametrize("reader", READERS)
def test_every_setting_is_explained(reader: str) -> None:
    for setting in described(READERS[reader]).values():
        assert setting.about.endswith("."), setting.name
        assert setting.allowed, setting.name


def test_one_name_is_one_kind_of_thing_whoever_reads_it() -> None:
    for entry in entries():
        told = {described(READERS[reader])[entry.setting.field].allowed for reader in entry.readers}
        assert len(told) == 1, entry.setting.name


def test_no_secret_has_a_default() -> None:
    assert [entry.setting.name for entry in entries() if entry.setting.is_secret and entry.setting.default] == []


def test_the_page_has_every_setting_once() -> None:
    page = configuration_page()
    for entry in entries():
        assert page.count(f"| `{entry.setting.name}`") == 1


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda blueprint: blueprint.name)
def test_the_one_machine_stack_gives_each_process_what_it_takes(blueprint: Blueprint) -> None:
    wiring = Wiring(
        amqp_urls={each.name: "amqp://user:secret@127.0.0.1/souk" for each in BLUEPRINTS},
        database_urls={each.schema: "postgresql://user:secret@127.0.0.1/souk" for each in BLUEPRINTS if each.schema},
        keys=dict.fromkeys(("catalog", "jobs", "notifier", "reporting", "scheduler", "sync"), KEY),
        common=VALUES,
        base={"PATH": "/bin"},
        urls=dict.fromkeys(("catalog", "jobs", "notifier", "reporting", "scheduler"), "http://127.0.0.1:1"),
    )
    [replica] = [each for each in replicas_of({}) if each.blueprint is blueprint]
    _, refusals = PROCESSES[replica.name].parse(environment_of(replica, wiring))
    assert refusals == []
