"""Keeps secrets and people's addresses out of log lines: the last step before a line is written.

It works on the finished line, so that an exception's text, a library's own words and a field three levels down are
treated alike. Three things are taken out: the values of this process's own secrets, wherever they stand; what has the
form of a secret (a key, a signed token, an address with a sign-in, a mail address); and what is named as one
(`password=…`, `"token": "…"`, `Cookie: …`). A stranger's secret without form and name cannot be told from a word:
code must not put it into a line, and the end-to-end tests push such values through every door and read all lines.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

HIDDEN: Final = "[redacted]"
SHORTEST_SECRET: Final = 6
"""A shorter value of our own guards nothing, and would be found in innocent words."""

_NAMES: Final = "password|passwd|secret|csrf|token|api[_-]?key|signature|souk-identity|souk_session"
_HEADERS: Final = "authorization|cookie"
_HINTS: Final = (
    "passw",
    "secret",
    "csrf",
    "token",
    "api_k",
    "api-k",
    "apik",
    "signature",
    "souk",
    "authoriz",
    "cookie",
)
"""Parts of all the names above: looking for these first makes an innocent line cheap."""

_SIGN_IN: Final = re.compile(r"""(://[^/@\s:"'\\]*):[^@\s"'\\]*@""")
_MAIL: Final = re.compile(r"[\w.+%'-]+@((?:[\w-]+\.)++[\w-]++)(?!:\d)")
"""Not `worker@host.example:4711`, which is a process."""
_API_KEY: Final = re.compile(r"(souk_[a-z0-9]{3,16}_)[A-Za-z0-9_-]{20,100}")
_JWT: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_CREDENTIALS: Final = re.compile(r"\b(bearer|basic|digest)\s+[\w+/=.~:-]{6,}", re.IGNORECASE)
_HEADER: Final = re.compile(rf"""((?:{_HEADERS})\s*[:=]\s*)[^"'\\\n]+""", re.IGNORECASE)
_QUOTED: Final = re.compile(
    rf"""((?:{_NAMES}|{_HEADERS})\\*["']\s*[:=]\s*(\\*["'])).*?(?=(?<!\\)\2|$)""", re.IGNORECASE
)
"""A quoted name and value: JSON, Python, JSON in JSON (whose quotes are escaped)."""
_BARE: Final = re.compile(rf"""((?:{_NAMES})\s*[:=]\s*)(?![\s"'\\])[^\s,;&)}}\]"'\\]+""", re.IGNORECASE)


class Redactor:
    """Takes out of lines what nobody should read there. `own` are the values of the process's own secrets."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        self._own = sorted({value for value in own if len(value) >= SHORTEST_SECRET}, key=len, reverse=True)

    def __call__(self, line: str) -> str:
        """The line as it may be written. Costs two microseconds where there is nothing to hide."""
        for secret in self._own:
            if secret in line:
                line = line.replace(secret, HIDDEN)
        if "@" in line:
            line = _SIGN_IN.sub(rf"\1:{HIDDEN}@", line)
            line = _MAIL.sub(rf"{HIDDEN}@\1", line)
        if "eyJ" in line:
            line = _JWT.sub(HIDDEN, line)
        lowered = line.lower()
        if "bearer " in lowered or "basic " in lowered or "digest " in lowered:
            line = _CREDENTIALS.sub(rf"\1 {HIDDEN}", line)
        for hint in _HINTS:
            if hint in lowered:
                return _without_named(line)
        return line


def _without_named(line: str) -> str:
    line = _API_KEY.sub(rf"\1{HIDDEN}", line)
    for pattern in (_HEADER, _QUOTED, _BARE):
        line = pattern.sub(rf"\1{HIDDEN}", line)
    return line


def secrets_in(settings: BaseModel) -> list[str]:
    """The values of every secret in a settings class; of an address with a sign-in, the password alone."""
    found: list[str] = []
    for _, value in settings:
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            password = urlsplit(text).password if "://" in text else text
            if password:
                found += [password, unquote(password)]
    return found
