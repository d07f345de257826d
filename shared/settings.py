"""How every service reads its settings: environment variables `SOUK_…`, once, into one frozen class.

What does not fit is refused at the start, all of it at once, with the name, the value (never a secret's) and what is
allowed. `docs/configuration.md` is rendered from the same classes.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from shared.messaging.topology import Tier, parse_tiers
from shared.setting import Setting, allowed, described
from shared.setting_names import unknown

_SIGN_IN: Final = re.compile(r"//[^/@\s]*@")
_LONGEST_SHOWN: Final = 100


def _address(value: str, *schemes: str) -> None:
    """Raises `ValueError`, which tells nothing of the value."""
    try:
        place = urlsplit(value)
        fits = place.scheme in schemes and bool(place.hostname) and (place.port is None or place.port > 0)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("it is no such address")


def _broker_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    _address(url, "amqp", "amqps")
    if not urlsplit(url).username:
        raise ValueError("it names no user, and clients would then take guest with its well-known password")
    return value


def _database_url(value: SecretStr) -> SecretStr:
    _address(value.get_secret_value(), "postgresql", "postgres")
    return value


def _http_url(value: str) -> str:
    _address(value, "http", "https")
    return value


def _management_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    _address(url, "http", "https")
    if not urlsplit(url).username:
        raise ValueError("it names no user")
    return value


def _service_key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 32:
        raise ValueError("a service key has at least 32 characters")
    return value


def _parsable_tiers(text: str) -> str:
    parse_tiers(text)
    return text


BrokerUrl = Annotated[SecretStr, AfterValidator(_broker_url), allowed("amqp[s]://user:password@host[:port]/vhost")]
"""A broker with user, password and virtual host. There is no default: RabbitMQ's own is a known password."""
DatabaseUrl = Annotated[
    SecretStr, AfterValidator(_database_url), allowed("postgresql://user:password@host[:port]/database")
]
"""A database with the role to sign in as."""
HttpUrl = Annotated[str, AfterValidator(_http_url), allowed("http[s]://host[:port]")]
"""Where HTTP is answered."""
ManagementUrl = Annotated[SecretStr, AfterValidator(_management_url), allowed("http[s]://user:password@host[:port]")]
"""RabbitMQ's management API with a user who may look."""
ServiceKey = Annotated[
    SecretStr, AfterValidator(_service_key), allowed("random text of at least 32 characters, the same at both ends")
]
"""The secret with which `Souk-Identity` tokens for one service are signed (`shared.web.identity`)."""
RetryTiers = Annotated[
    str, AfterValidator(_parsable_tiers), allowed("climbing delays from 1s to 24h, with commas: 10s,1m,2h")
]
"""The retry ladder as text; every process of one installation has the same."""
OutboundAllow = Annotated[tuple[str, ...], allowed('a JSON list of exact host:port, no `*`: ["10.0.0.5:8443"]')]
"""Places that may be fetched from although their address is not public (`shared.outbound`)."""
LogLevel = Literal["debug", "info", "warning", "error"]
Port = Annotated[int, Field(ge=0, le=65535)]


class Environment(BaseModel):
    """Settings out of environment variables.

    Field `x` is given as `SOUK_X`; a secret also as `SOUK_X_FILE`, the path of a file that holds it. An empty variable
    is as good as none. Lists and objects are written as JSON.
    """

    # Not pydantic-settings: it stops at the first file or JSON that cannot be read, and can check no other environment
    # than its own, which `souk config check` does.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True, validate_default=True
    )

    @classmethod
    def read(cls) -> Self:
        """Read the environment. Raises `SystemExit` naming everything that does not fit."""
        settings, refusals = cls.parse(os.environ)  # noqa: TID251 - the one place
        if settings is None or refusals:
            raise SystemExit("\n".join(refusals))
        return settings

    @classmethod
    def parse(cls, environment: Mapping[str, str]) -> tuple[Self | None, list[str]]:
        """The settings in an environment, if they fit, and a sentence for everything in it that must be put right."""
        settings = described(cls)
        own = {name for setting in settings.values() for name in setting.names}
        refusals = [_unknown(name, meant) for name, meant in unknown(environment, own).items()]
        values: dict[str, Any] = {}
        unread: set[str] = set()
        for field, setting in settings.items():
            try:
                value = _given(setting, environment)
            except ValueError as exc:
                refusals.append(str(exc))
                unread.add(field)
            else:
                if value is not None:
                    values[field] = value
        try:
            return cls.model_validate(values), refusals
        except ValidationError as exc:
            errors = [error for error in exc.errors() if not unread.intersection(error["loc"])]
            return None, refusals + [_refusal(error, settings, values) for error in errors]


class ServiceSettings(Environment):
    """What every process is told. A service adds its own fields; nothing else reads the environment."""

    amqp_url: BrokerUrl
    """The broker, with the user and virtual host of this process."""
    retry_tiers: RetryTiers = "10s,1m,5m,30m,2h"
    """Delays of the retry exchanges. Every process of one installation has the same."""
    http_host: str = "127.0.0.1"
    """Address on which the process's HTTP API listens; 0.0.0.0 for all."""
    http_port: Port = 8080
    """Port of the process's HTTP API, if it has one."""
    ops_host: str = "127.0.0.1"
    """Address on which the operations port listens. It must never be reachable from outside."""
    ops_port: Port = 9090
    """Where /healthz, /readyz and /metrics answer."""
    log_format: Literal["json", "console"] = "json"
    """One JSON object a line, or lines for people."""
    log_level: LogLevel = "info"
    """The least important lines that are written."""
    otlp_endpoint: HttpUrl | None = None
    """An OpenTelemetry collector that takes spans by OTLP over HTTP; they go to /v1/traces there. None are made
    without it (docs/observability.md)."""
    announce_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How often a relay names what it sent, so that readers notice what the broker lost (docs/adr/0006)."""
    grace_seconds: Annotated[float, Field(gt=0, le=600)] = 15.0
    """How long work in hand may take to finish after SIGTERM."""
    state_dir: Path | None = None
    """A folder of this process's own that outlives it: the crash journal of a worker. Without one a job that kills its
    worker is never counted, and so never parked."""

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The retry tiers, parsed."""
        return parse_tiers(self.retry_tiers)


def _given(setting: Setting, environment: Mapping[str, str]) -> Any:
    """What the environment says of a setting, None for nothing. Raises `ValueError` for what cannot be read."""
    text = environment.get(setting.name) or None
    file = f"{setting.name}_FILE"
    if text is None and setting.is_secret and (path := environment.get(file)):
        try:
            text = Path(path).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is not text in UTF-8"
            raise ValueError(f"{file}: {path!r} cannot be read: {reason}.") from exc
        if not text:
            raise ValueError(f"{file}: {path!r} is empty.")
    if text is None or not setting.is_json:
        return text
    try:
        return json.loads(text)
    except ValueError as exc:
        raise ValueError(f"{setting.name}: {_shown(text)} is not JSON; allowed: {setting.allowed}.") from exc


def _refusal(error: ErrorDetails, settings: Mapping[str, Setting], values: Mapping[str, Any]) -> str:
    if not error["loc"]:  # several settings that do not go together: the validator names them
        return error["msg"].removeprefix("Value error, ")
    setting = settings[str(error["loc"][0])]
    if error["type"] == "missing":
        where = f", here or in the file that {setting.name}_FILE names" if setting.is_secret else ""
        return f"{setting.name}: missing; needed: {setting.allowed}{where}."
    reason = f" ({error['msg'].removeprefix('Value error, ')})" if error["type"] == "value_error" else ""
    value = "the secret given" if setting.is_secret else _shown(values.get(setting.field))
    return f"{setting.name}: {value} is not accepted{reason}; allowed: {setting.allowed}."


def _shown(value: Any) -> str:
    """A value as it was given, without a sign-in that may stand in an address, and cut where it is long."""
    text = _SIGN_IN.sub("//…@", value if isinstance(value, str) else json.dumps(value))
    return f'"{text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"}"'


def _unknown(name: str, meant: str | None) -> str:
    hint = f"did you mean {meant}?" if meant else "docs/configuration.md lists those there are."
    return f"{name}: there is no such setting; {hint}"
