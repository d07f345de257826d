"""How a process is told its settings, and what it says of a wrong one."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.setting import described
from shared.settings import HttpUrl, ServiceKey, ServiceSettings

KEY = "k" * 32
GIVEN = {"SOUK_AMQP_URL": "amqp://example:hunter2@127.0.0.1/souk", "SOUK_EXAMPLE_KEY": KEY}


class Settings(ServiceSettings):
    """A service's, as any."""

    example_key: ServiceKey
    """Signs what it signs."""
    example_limits: dict[str, int] | None = None
    """What it may."""
    example_url: HttpUrl | None = None
    """Where it goes."""


def read(**given: str) -> Settings:
    settings, refusals = Settings.parse(GIVEN | given)
    assert settings is not None, refusals
    assert refusals == []
    return settings


def refusals(**given: str | None) -> list[str]:
    environment = {name: value for name, value in (GIVEN | given).items() if value is not None}
    return Settings.parse(environment)[1]


def test_a_variable_is_read() -> None:
    settings = read(SOUK_OPS_PORT="1234", SOUK_EXAMPLE_LIMITS='{"a": 1}')
    assert (settings.ops_port, settings.example_key, settings.example_limits) == (1234, SecretStr(KEY), {"a": 1})


def test_the_environment_is_read_and_refused_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    assert Settings.read().ops_port == 9090
    monkeypatch.setenv("SOUK_OPS_PORT", "high")
    monkeypatch.setenv("SOUK_LOG_LEVEL", "loud")
    with pytest.raises(SystemExit) as refused:
        Settings.read()
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == ["SOUK_OPS_PORT", "SOUK_LOG_LEVEL"]


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("f" * 40 + "\n")
    assert read(SOUK_EXAMPLE_KEY="", SOUK_EXAMPLE_KEY_FILE=str(file)).example_key.get_secret_value() == "f" * 40


def test_the_variable_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("f" * 40)
    assert read(SOUK_EXAMPLE_KEY_FILE=str(file)).example_key.get_secret_value() == KEY


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"], ids=["none", "empty", "line", "binary"])
def test_a_file_that_gives_no_secret_is_named_with_its_variable(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    [told] = refusals(SOUK_EXAMPLE_KEY=None, SOUK_EXAMPLE_KEY_FILE=str(file))
    assert told.startswith(f"SOUK_EXAMPLE_KEY_FILE: '{file}' ")


def test_only_secrets_lie_in_files(tmp_path: Path) -> None:
    [told] = refusals(SOUK_LOG_LEVEL_FILE=str(tmp_path))
    assert told == "SOUK_LOG_LEVEL_FILE: there is no such setting; did you mean SOUK_LOG_LEVEL?"


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named_with_what_is_needed(value: str | None) -> None:
    assert refusals(SOUK_EXAMPLE_KEY=value) == [
        "SOUK_EXAMPLE_KEY: missing; needed: random text of at least 32 characters, the same at both ends, here or in "
        "the file that SOUK_EXAMPLE_KEY_FILE names."
    ]


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("SOUK_OPS_PORT", "70000", "a whole number from 0 to 65535"),
        ("SOUK_OPS_PORT", "high", "a whole number from 0 to 65535"),
        ("SOUK_LOG_LEVEL", "loud", "debug or info or warning or error"),
        ("SOUK_GRACE_SECONDS", "0", "a number above 0 up to 600"),
        ("SOUK_RETRY_TIERS", "soon", "climbing delays"),
        ("SOUK_RETRY_TIERS", "2m,1m", "climbing delays"),
        ("SOUK_EXAMPLE_LIMITS", "{", "a JSON object"),
        ("SOUK_EXAMPLE_URL", "souk.example.com", "http[s]://host[:port]"),
        ("SOUK_EXAMPLE_URL", "http://host:high/", "http[s]://host[:port]"),
    ],
)
def test_a_wrong_value_is_told_with_its_name_and_what_is_allowed(variable: str, value: str, allowed: str) -> None:
    [told] = refusals(**{variable: value})
    assert told.startswith(f'{variable}: "{value}" is ')
    assert allowed in told


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SOUK_EXAMPLE_KEY", "hunter2"),
        ("SOUK_AMQP_URL", "http://me:hunter2@127.0.0.1/"),
        ("SOUK_AMQP_URL", "amqp://127.0.0.1/hunter2"),
        ("SOUK_EXAMPLE_URL", "ftp://me:hunter2@127.0.0.1/"),
    ],
)
def test_no_refusal_shows_a_secret(variable: str, value: str) -> None:
    [told] = refusals(**{variable: value})
    assert told.startswith(f"{variable}: ")
    assert "hunter2" not in told


def test_everything_wrong_is_told_at_once() -> None:
    told = refusals(SOUK_AMQP_URL=None, SOUK_OPS_PORT="-1", SOUK_EXAMPLE_LIMITS="[", SOUK_EXMAPLE_KEY="x")
    assert {line.partition(":")[0] for line in told} == {
        "SOUK_AMQP_URL",
        "SOUK_OPS_PORT",
        "SOUK_EXAMPLE_LIMITS",
        "SOUK_EXMAPLE_KEY",
    }


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SOUK_LOG_LEVL", "did you mean SOUK_LOG_LEVEL?"),
        ("SOUK_example_key", "did you mean SOUK_EXAMPLE_KEY?"),
        ("SOUK_ZZ", "docs/configuration.md"),
    ],
)
def test_an_unknown_name_is_refused_with_the_one_that_was_meant(name: str, meant: str) -> None:
    [told] = refusals(**{name: "x"})
    assert told.startswith(f"{name}: there is no such setting; ")
    assert meant in told


@pytest.mark.parametrize(
    "name",
    [
        "SOUK_SMTP_HOST",  # another process's
        "SOUK_TEST_AMQP_URL",
        "SOUK_GATEWAY_SERVICE_HOST",  # Kubernetes, for a service named souk-gateway
        "SOUK_GATEWAY_SERVICE_PORT_HTTP",
        "SOUK_GATEWAY_PORT",
        "SOUK_GATEWAY_PORT_8080_TCP_ADDR",
        "PATH",
    ],
)
def test_what_is_not_for_this_process_is_let_pass(name: str) -> None:
    assert refusals(**{name: "tcp://10.0.0.1:8080"}) == []


def test_settings_do_not_change_and_do_not_show_secrets() -> None:
    settings = read()
    with pytest.raises(ValueError, match="frozen"):
        settings.ops_port = 1  # type: ignore[misc]
    assert KEY not in repr(settings)
    assert "hunter2" not in repr(settings)


def test_a_setting_is_described_by_its_field() -> None:
    settings = described(Settings)
    grace, key = settings["grace_seconds"], settings["example_key"]
    assert (grace.name, grace.unit, grace.default, grace.is_secret) == ("SOUK_GRACE_SECONDS", "s", "15.0", False)
    assert (key.names, key.default, key.is_secret) == (("SOUK_EXAMPLE_KEY", "SOUK_EXAMPLE_KEY_FILE"), None, True)
    assert key.about == "Signs what it signs."
    assert settings["example_limits"].is_json
