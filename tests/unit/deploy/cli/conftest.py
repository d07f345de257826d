"""A gateway that answers as it is told, and the command run against it."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from typer.testing import CliRunner, Result

from deploy.cli.app import app

KEY = "souk_example_abcdefghijklmnopqrstuvwxyz"


@dataclass
class FakeGateway:
    """`answers` by method and path: (status, JSON), or a list of them of which the last one stays."""

    url: str = ""
    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], Any, str | None]] = field(default_factory=list)
    """What was asked: method and path, query, body, authorization."""

    def say(self, route: str, answer: Any, status: int = 200) -> None:
        """Answer so from now on; said twice, the first answer is given once."""
        self.answers.setdefault(route, []).append((status, answer))

    def respond(self, route: str) -> tuple[int, Any]:
        """The next answer."""
        told = self.answers.get(route)
        if not told:
            return 404, {"title": "Not Found", "detail": "There is nothing at this address."}
        return told.pop(0) if len(told) > 1 else told[0]


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """A fresh one, on a port of its own."""
    fake = FakeGateway()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def do_DELETE(self) -> None:
            self._answer("DELETE")

        def _answer(self, method: str) -> None:
            place = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            route = f"{method} {place.path}"
            sent = json.loads(body) if body else None
            fake.asked.append((route, dict(parse_qsl(place.query)), sent, self.headers.get("Authorization")))
            status, answer = fake.respond(route)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status < 300 else "application/problem+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield fake
        server.shutdown()
        thread.join()


@dataclass
class Souk:
    """The command with the environment of a test."""

    environment: dict[str, str]

    def __call__(self, *arguments: str, given: str = "") -> Result:
        """Run it without a terminal."""
        return CliRunner().invoke(app, arguments, env=dict(self.environment), input=given, prog_name="souk")

    def ok(self, *arguments: str, given: str = "") -> str:
        """Run it; what it wrote to standard output."""
        result = self(*arguments, given=given)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        """Run it with `--json`; the document, or the list of lines."""
        return json.loads(self.ok(*arguments, "--json"))


@pytest.fixture
def souk(gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Souk:
    """Asks the fake gateway with a key; the clone has no stack."""
    for name in ("SOUK_AMQP_URL", "SOUK_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return Souk({"SOUK_HOME": str(tmp_path), "SOUK_GATEWAY_URL": gateway.url, "SOUK_API_KEY": KEY})
