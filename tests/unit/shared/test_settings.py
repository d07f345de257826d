"""How a process is told its settings, and what it says of a wrong one."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.settings import ServiceKey, ServiceSettings

KEY = "k" * 32


class Settings(ServiceSettings):
    """A service's, as any."""

    example_key: ServiceKey
    example_limits: dict[str, int] | None = None


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("SOUK_EXAMPLE_KEY", KEY)
    return monkeypatch


def refusal() -> str:
    with pytest.raises(SystemExit) as refused:
        Settings.read()
    return str(refused.value)


def test_a_variable_is_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SOUK_OPS_PORT", "1234")
    settings = Settings.read()
    assert (settings.ops_port, settings.example_key) == (1234, SecretStr(KEY))


def test_a_secret_may_lie_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("f" * 40 + "\n")
    environment.delenv("SOUK_EXAMPLE_KEY")
    environment.setenv("SOUK_EXAMPLE_KEY_FILE", str(file))
    assert Settings.read().example_key.get_secret_value() == "f" * 40


def test_the_variable_wins_over_the_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("f" * 40)
    environment.setenv("SOUK_EXAMPLE_KEY_FILE", str(file))
    assert Settings.read().example_key.get_secret_value() == KEY


def test_a_missing_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SOUK_EXAMPLE_KEY")
    assert "SOUK_EXAMPLE_KEY: Field required" in refusal()


def test_a_missing_file_is_named_with_its_variable(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("SOUK_EXAMPLE_KEY")
    environment.setenv("SOUK_EXAMPLE_KEY_FILE", str(tmp_path / "none"))
    assert "SOUK_EXAMPLE_KEY_FILE: " in refusal()
    assert str(tmp_path / "none") in refusal()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SOUK_EXAMPLE_KEY", "hunter2"),
        ("SOUK_OPS_PORT", "70000"),
        ("SOUK_OPS_PORT", "hunter2"),
        ("SOUK_LOG_LEVEL", "hunter2"),
        ("SOUK_GRACE_SECONDS", "0"),
        ("SOUK_RETRY_TIERS", "hunter2"),
        ("SOUK_RETRY_TIERS", "2m,1m"),
    ],
)
def test_a_wrong_value_is_named_and_never_a_secret_shown(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(variable, value)
    told = refusal()
    assert told.startswith(f"{variable}: ")
    if variable == "SOUK_EXAMPLE_KEY":
        assert value not in told


def test_a_value_that_is_no_json_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SOUK_EXAMPLE_LIMITS", "{")
    assert "EXAMPLE_LIMITS" in refusal().upper()


def test_settings_do_not_change_and_do_not_show_secrets() -> None:
    settings = Settings.read()
    with pytest.raises(ValueError):
        settings.ops_port = 1  # type: ignore[misc]
    assert KEY not in repr(settings)
    assert "guest:guest" not in repr(settings)
