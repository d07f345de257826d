"""A browser without scripts, for tests of pages."""

import re

from aiohttp import ClientResponse, ClientSession

HTML = {"Accept": "text/html,application/xhtml+xml"}
VERSION = re.compile(r'name="version" value="(\d+)"')
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser:
    """A browser without scripts: cookies, links and forms."""

    def __init__(self, http: ClientSession) -> None:
        self.http = http

    async def get(self, path: str, **headers: str) -> tuple[ClientResponse, str]:
        async with self.http.get(path, headers={**HTML, **headers}) as answer:
            return answer, await answer.text()

    async def post(self, path: str, /, **fields: str) -> tuple[ClientResponse, str]:
        async with self.http.post(path, data=fields, headers=HTML) as answer:
            return answer, await answer.text()

    async def sign_in(self, email: str, password: str, **fields: str) -> tuple[ClientResponse, str]:
        return await self.post("/login", email=email, password=password, **fields)

    async def token(self, path: str = "/vendor") -> str:
        """The token in the page's forms."""
        _, text = await self.get(path)
        match = TOKEN.search(text)
        assert match is not None, text
        return match[1]

    async def send(self, page: str, to: str, **fields: str) -> tuple[ClientResponse, str]:
        """Send a form of a page, with the token and the version that the page shows."""
        _, text = await self.get(page)
        return await self.submit(text, to, **fields)

    async def submit(self, text: str, to: str, **fields: str) -> tuple[ClientResponse, str]:
        """The same of a page that was read before."""
        token, version = TOKEN.search(text), VERSION.search(text)
        assert token is not None, text
        shown = {} if version is None else {"version": version[1]}
        return await self.post(to, csrf_token=token[1], **{**shown, **fields})
