"""What becomes of a test whose server is not here."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from _pytest.outcomes import Failed, Skipped

from tests import conftest
from tests.servers import Broken, Missing, Outcome, Servers


def ask(outcome: Outcome) -> Outcome:
    """Ask for a server the way the fixtures do."""
    config = SimpleNamespace(stash={conftest.SERVERS: SimpleNamespace(get=lambda _kind: outcome)})
    return conftest._outcome(cast("Any", SimpleNamespace(config=config)), "broker")


@pytest.mark.parametrize(
    ("ci", "outcome", "verdict"),
    [
        ("", Missing("RabbitMQ is missing"), Skipped),
        ("true", Missing("RabbitMQ is missing"), Failed),
        ("", Broken("it does not start"), Failed),
        ("true", Broken("it does not start"), Failed),
    ],
)
def test_a_missing_server_skips_on_a_laptop_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: Missing | Broken, verdict: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci or "false")
    with pytest.raises(verdict, match=outcome.why):
        ask(outcome)


def test_nothing_starts_before_it_is_asked_for() -> None:
    servers = Servers()
    assert servers._started == {}
    servers.stop()


def test_a_server_that_raises_is_told_to_every_test_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = Servers()

    def fails() -> Outcome:
        raise OSError("no space left")

    servers._starters["broker"] = fails
    assert servers.get("broker") == servers.get("broker") == Broken("broker: OSError: no space left")
    servers.stop()
