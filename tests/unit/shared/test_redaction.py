"""What is taken out of log lines, and what stays."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import orjson
import pytest
import structlog
from pydantic import SecretStr

from shared.log import configure_logging, get_logger
from shared.redaction import HIDDEN, Redactor, secrets_in
from shared.settings import Environment

CANARY = "CanaryCanaryCanary0123456789"

SECRETS = {
    "own secret": "it was own-secret-of-a-process",
    "JSON field": f'{{"password":"{CANARY}","n":null}}',
    "JSON field with a quote in it": f'{{"password":"a\\"{CANARY}","n":1}}',
    "JSON in JSON": f'{{"error":"{{\\"client_secret\\": \\"{CANARY}\\", \\"a\\": 1}}"}}',
    "Python value": f"ValueError({{'csrf_token': '{CANARY}', 'a': 1}})",
    "query": f"GET /hooks?token={CANARY}&a=1",
    "line of a configuration": f"api_key: {CANARY}",
    "API key": f"no such key souk_0a1b2c_{CANARY}",
    "signed token": f"eyJhbGciOi.{CANARY}.{CANARY}",
    "Authorization": f'{{"h":"Authorization: Bearer {CANARY}","b":"c"}}',
    "credentials alone": f"cannot read 'Basic {CANARY}'",
    "Cookie": f'{{"h":"Cookie: a=b; souk_session={CANARY}; other={CANARY}","b":"c"}}',
    "cookie alone": f"(b'souk_session={CANARY}')",
    "headers of aiohttp": f"<CIMultiDictProxy('Authorization': 'Bearer {CANARY}', 'X-CSRF-Token': '{CANARY}')>",
    "identity": f"Souk-Identity: {CANARY}",
    "signature": f"X-Souk-Signature: sha256={CANARY}",
    "broker": f"amqp://souk:{CANARY}@host:5672/v is away",
    "database": f"postgresql://souk:a/{CANARY}@[::1]/d",
    "mail address": f"550 <{CANARY}@example.com> is unknown",
    "mail address beyond ASCII": f"ünïcode.{CANARY}@exämple.com",
}
INNOCENT = (
    '{"worker":"imaging@host.example:4711","service":"imaging"}',
    '{"event":"request","path":"/api/products","ms":1.2}',
    '{"error":"The identity token does not hold.","code":"csrf_mismatch"}',
    '{"password":null,"token_count":3}',
    "SELECT token_hash FROM catalog.sessions WHERE id = $1",
)


@pytest.mark.parametrize("line", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_taken_out_of_a_line(line: str) -> None:
    written = Redactor(["own-secret-of-a-process"])(line)
    assert HIDDEN in written
    assert CANARY not in written
    assert "own-secret" not in written


@pytest.mark.parametrize("line", INNOCENT)
def test_what_is_no_secret_stays(line: str) -> None:
    assert Redactor(["short", "own-secret-of-a-process"])(line) == line


def test_what_surrounds_a_secret_stays() -> None:
    line = f'{{"event":"x","error":"amqp://souk:{CANARY}@host/v of anna@example.com","password":"{CANARY}","n":1}}'
    assert orjson.loads(Redactor()(line)) == {
        "event": "x",
        "error": f"amqp://souk:{HIDDEN}@host/v of {HIDDEN}@example.com",
        "password": HIDDEN,
        "n": 1,
    }


class _Settings(Environment):
    broker: SecretStr
    """An address."""
    key: SecretStr
    """A key."""
    unset: SecretStr | None = None
    """Nothing."""
    name: str = "not-a-secret"
    """A name."""


def test_the_secrets_of_settings_are_their_values_and_the_passwords_of_addresses() -> None:
    settings = _Settings(broker=SecretStr("amqp://user:p%40ssword@host/v"), key=SecretStr("a-long-key"))
    assert secrets_in(settings) == ["p%40ssword", "p@ssword", "a-long-key", "a-long-key"]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged in JSON; afterwards logging is as it was."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    configure_logging(service="test", log_format="json", level="info", redactor=Redactor([CANARY]))
    yield out
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()
    root.handlers, root.level = handlers, level


def test_the_text_of_an_exception_is_redacted_too_ours_or_a_librarys(written: io.StringIO) -> None:
    try:
        raise ValueError(f"cannot use {CANARY} for bert@example.com")
    except ValueError:
        get_logger("x").exception("handler_bug")
        logging.getLogger("library").exception("it said %s", CANARY)
    ours, theirs = map(orjson.loads, written.getvalue().splitlines())
    for line in (ours, theirs):
        assert line["service"] == "test"
        assert f"cannot use {HIDDEN} for {HIDDEN}@example.com" in line["exception"]
        assert CANARY not in str(line)


@pytest.mark.parametrize("value", ["\ud800", 2**70, object()], ids=["lone surrogate", "large integer", "any object"])
def test_a_line_is_written_whatever_a_stranger_sent(written: io.StringIO, value: object) -> None:
    get_logger("x").info("odd", value=value)
    assert json.loads(written.getvalue())["event"] == "odd"
