"""Answers from memory are charged too, before any middleware."""

from typing import cast
from unittest.mock import Mock

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from services.catalog.clients import Clients
from services.catalog.limits.edge import Limits, limited
from services.catalog.limits.models import Cost, Policy
from shared.db.pool import Pool
from shared.web.requests import REQUEST_ID_HEADER


def test_what_memory_answers_is_charged_to_the_address() -> None:
    def shortcut(request: web.BaseRequest) -> web.Response | None:
        return web.Response(text="known", headers={REQUEST_ID_HEADER: "c1"}) if request.path == "/known" else None

    policies = [Policy(cost, 3) for cost in Cost]
    charged = limited(shortcut, Limits(policies, pool=cast(Pool, Mock()), clients=Clients()))
    transport = Mock(get_extra_info=lambda name: ("192.0.2.1", 4711) if name == "peername" else None)
    assert charged(make_mocked_request("GET", "/unknown", transport=transport)) is None
    answers = [charged(make_mocked_request("GET", "/known", transport=transport)) for _ in range(4)]
    assert [answer.status for answer in answers if answer] == [200, 200, 200, 429]
    first, *_, last = answers
    assert first is not None
    assert last is not None
    assert first.headers["RateLimit"] == '"cached";r=2;t=20'
    assert first.headers["RateLimit-Policy"] == last.headers["RateLimit-Policy"] == '"cached";q=3;w=60'
    assert (last.content_type, last.headers[REQUEST_ID_HEADER]) == ("application/problem+json", "c1")
    assert int(last.headers["Retry-After"]) == 20
