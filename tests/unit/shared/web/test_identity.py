"""Tokens by which services know who asks: what holds, and what does not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import time_machine

from shared.errors import Unauthorised
from shared.ids import new_id
from shared.web.identity import LIFE_SECONDS, Identity, Role, sign, verify

KEY, OTHER_KEY = "k" * 32, "o" * 32
AT = datetime(2026, 1, 1, tzinfo=UTC)
VENDOR = Identity(new_id(), Role.VENDOR, new_id())


def token(identity: Identity = VENDOR, **changed: Any) -> str:
    told: dict[str, Any] = {"service": "jobs", "key": KEY, "method": "GET", "path": "/api/x", "request_id": "r" * 8}
    return sign(identity, **(told | changed))


def read(given: str, **changed: Any) -> Identity:
    told: dict[str, Any] = {"service": "jobs", "key": KEY, "method": "GET", "path": "/api/x"}
    return verify(given, **{**told, **changed})


@pytest.mark.parametrize("identity", [VENDOR, Identity(new_id(), Role.ADMIN)], ids=["vendor", "admin"])
def test_the_called_service_reads_who_asks(identity: Identity) -> None:
    assert read(token(identity)) == identity


@pytest.mark.parametrize(
    "changed",
    [
        {"service": "catalog"},
        {"key": OTHER_KEY},
        {"method": "POST"},
        {"path": "/api/y"},
        {"path": "/api/x/"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_token_for_another_call_does_not_hold(changed: dict[str, Any]) -> None:
    with pytest.raises(Unauthorised):
        read(token(**changed))


def test_a_token_holds_for_a_minute() -> None:
    with time_machine.travel(AT, tick=False) as clock:
        made = token()
        clock.move_to(AT + timedelta(seconds=LIFE_SECONDS - 1))
        assert read(made) == VENDOR
        clock.move_to(AT + timedelta(seconds=LIFE_SECONDS + 1))
        with pytest.raises(Unauthorised):
            read(made)


def claims(**changed: Any) -> dict[str, Any]:
    held = jwt.decode(token(), KEY, algorithms=["HS256"], audience="jobs")
    return {name: value for name, value in {**held, **changed}.items() if value is not ...}


def _with_claims(signed: str, **changed: Any) -> str:
    """A token whose claims were changed under its signature."""
    head, _, signature = signed.split(".")
    body = jwt.encode(claims(**changed), OTHER_KEY, algorithm="HS256").split(".")[1]
    return f"{head}.{body}.{signature}"


INCOMPLETE: dict[str, dict[str, Any]] = {
    "no end": {"exp": ...},
    "no audience": {"aud": ...},
    "no account": {"sub": ...},
    "no method": {"method": ...},
    "no vendor said": {"vendor": ...},
    "an unknown role": {"role": "root"},
    "a role of no text": {"role": 1},
    "an account that is no id": {"sub": "1"},
    "a vendor that is no id": {"vendor": "1"},
    "a vendor that is no text": {"vendor": 1},
    "an end that is no time": {"exp": "soon"},
}
FORGED: dict[str, str] = {
    "nothing": "",
    "no token": "abc",
    "not even text": "\udcff\x00",
    "three empty parts": "..",
    "no signature": jwt.encode(claims(), "", algorithm="none"),
    "another algorithm": jwt.encode(claims(), "k" * 64, algorithm="HS512"),
    "a changed role": _with_claims(token(), role="admin"),
    **{name: jwt.encode(claims(**changed), KEY, algorithm="HS256") for name, changed in INCOMPLETE.items()},
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_what_is_forged_or_incomplete_does_not_hold(forged: str) -> None:
    with pytest.raises(Unauthorised):
        read(forged)
