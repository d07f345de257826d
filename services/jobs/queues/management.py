"""RabbitMQ's management API: how many messages its queues hold. Its figures are some seconds old."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import unquote, urlsplit

import aiohttp
from pydantic import BaseModel, TypeAdapter, ValidationError
from yarl import URL

from services.jobs.queues.models import BrokerFigures
from services.jobs.settings import Settings
from shared.errors import Unavailable

ANSWER_SECONDS: Final = 1.5
_COLUMNS: Final = "name,messages_ready,messages_unacknowledged,consumers"


class _Told(BaseModel):
    name: str
    messages_ready: int = 0  # a queue that was just declared has no figures yet
    messages_unacknowledged: int = 0
    consumers: int = 0


_LIST: Final = TypeAdapter(list[_Told])


class Management:
    """One virtual host, asked in the name of a user who may look."""

    def __init__(self, client: aiohttp.ClientSession, url: str, vhost: str) -> None:
        self._client = client
        self._queues = URL(url) / "api" / "queues" / vhost

    async def figures(self) -> Mapping[str, BrokerFigures]:
        """What each queue holds. Raises `Unavailable`, saying how it failed."""
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self._client.get(self._queues.with_query(columns=_COLUMNS), allow_redirects=False) as answer,
            ):
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise Unavailable("RabbitMQ's management API does not answer.") from exc
        if answer.status != 200:
            raise Unavailable(f"RabbitMQ's management API answered {answer.status}.")
        try:
            told = _LIST.validate_json(body)
        except ValidationError as exc:
            raise Unavailable("RabbitMQ's management API gave an answer that cannot be read.") from exc
        return {
            queue.name: BrokerFigures(queue.messages_ready, queue.messages_unacknowledged, queue.consumers)
            for queue in told
        }


@asynccontextmanager
async def open_management(settings: Settings) -> AsyncIterator[Management | None]:
    """The management API that the settings name; None without one."""
    if settings.management_url is None:
        yield None
        return
    url = URL(settings.management_url.get_secret_value())
    headers = {"Authorization": aiohttp.encode_basic_auth(url.user or "", url.password or "")}
    vhost = unquote(urlsplit(settings.amqp_url.get_secret_value()).path[1:]) or "/"
    async with aiohttp.ClientSession(headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield Management(client, str(url.with_user(None)), vhost)
