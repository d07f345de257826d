"""How every service reads its settings: environment variables `SOUK_…`, once, into one frozen class."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from shared.messaging.topology import Tier, parse_tiers

PREFIX = "SOUK_"


def _parsable_tiers(text: str) -> str:
    parse_tiers(text)
    return text


class _SecretFiles(EnvSettingsSource):
    """Reads `SOUK_X_FILE` where `SOUK_X` is not given: the file's content, without the last line end."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{PREFIX}{field_name}_FILE"
        path = self.env_vars.get(variable.lower())
        try:
            value = None if path is None else Path(path).read_text().rstrip("\n")
        except (OSError, ValueError) as exc:
            raise SystemExit(f"{variable.upper()}: {exc}") from exc
        return value, field_name, False


class ServiceSettings(BaseSettings):
    """What every process is told. A service adds its own fields; nothing else reads the environment.

    Every field `x` may be given as `SOUK_X` or, for secrets kept in files, as `SOUK_X_FILE`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    amqp_url: SecretStr = SecretStr("amqp://guest:guest@127.0.0.1:5672/")
    """The broker, with the user and virtual host of this process."""
    retry_tiers: Annotated[str, AfterValidator(_parsable_tiers)] = "10s,1m,5m,30m,2h"
    """Delays of the retry exchanges, climbing. Every process of one installation has the same."""
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    ops_host: str = "127.0.0.1"
    ops_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    """Where /healthz, /readyz and /metrics answer."""
    log_format: Annotated[str, Field(pattern="^(json|console)$")] = "json"
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"
    announce_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How often a relay names what it sent, so that readers notice what the broker lost (docs/adr/0006)."""
    grace_seconds: Annotated[float, Field(gt=0, le=600)] = 15.0
    """How long work in hand may take to finish after SIGTERM."""

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The retry tiers, parsed."""
        return parse_tiers(self.retry_tiers)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables, then files named by variables."""
        return init_settings, env_settings, _SecretFiles(settings_cls)

    @classmethod
    def read(cls) -> Self:
        """Read the environment. Raises `SystemExit` naming each variable that does not fit, never its value."""
        try:
            return cls()
        except ValidationError as exc:
            raise SystemExit("\n".join(_told(error) for error in exc.errors(include_input=False))) from None
        except SettingsError as exc:
            raise SystemExit(f"A setting cannot be read: {exc}") from None


def _told(error: ErrorDetails) -> str:
    name, *inside = (str(part) for part in error["loc"]) if error["loc"] else ("",)
    place = f" ({'.'.join(inside)})" if inside else ""
    return f"{PREFIX}{name.upper()}{place}: {error['msg']}"


def _service_key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 32:
        raise ValueError("a service key has at least 32 characters")
    return value


ServiceKey = Annotated[SecretStr, AfterValidator(_service_key)]
"""The secret with which `Souk-Identity` tokens for one service are signed (`shared.web.identity`)."""
