"""Style sheets, scripts and pictures of the pages, under addresses that name their content."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from shared.errors import NotFound

FOLDER: Final = Path(__file__).parent / "static"
FOR_EVER: Final = "public, max-age=31536000, immutable"
WORKER: Final = "push-worker.js"
WORKER_POLICY: Final = "default-src 'none'"
"""A service worker has a policy of its own. This one asks for nothing."""
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


class AssetNotFound(NotFound):
    """There is no such file among the assets."""

    code = "asset_not_found"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, as it is and gzipped."""

    content: bytes
    zipped: bytes
    content_type: str


class Assets:
    """All files of the folder, in memory. One mark stands for all of them, so that modules find each other by `./`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            file.name: Asset(content := file.read_bytes(), gzip.compress(content, mtime=0), _TYPES[file.suffix])
            for file in sorted(folder.iterdir())
        }
        everything = hashlib.blake2b(digest_size=6)
        for name, asset in self._files.items():
            everything.update(name.encode() + b"\x00" + asset.content)
        self.mark = everything.hexdigest()

    def url(self, name: str) -> str:
        """Where a file is. Raises `KeyError` for one that is not there, so a page with a wrong name fails its test."""
        return f"/static/{self.mark}/{self._files[name] and name}"

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get("/static/{mark}/{name}", self.serve),
            web.get("/favicon.ico", self.icon),
            web.get(f"/{WORKER}", self.worker),
        ]

    async def serve(self, request: web.Request) -> web.Response:
        """A file. Another mark is another version's page, during an update: it gets ours, and does not keep it."""
        asset = self._files.get(request.match_info["name"])
        if asset is None:
            raise AssetNotFound("There is no such file.")
        is_ours = request.match_info["mark"] == self.mark
        headers = {
            "Cache-Control": FOR_EVER if is_ours else "no-cache",
            "Content-Type": asset.content_type,
            "Vary": "Accept-Encoding",
        }
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=asset.zipped, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=asset.content, headers=headers)

    async def worker(self, _: web.Request) -> web.Response:
        """The service worker, at an address of its own that stays: it may act for the addresses beside it, so all.

        Browsers ask for it again by themselves, and take a new one when its bytes differ.
        """
        headers = {"Cache-Control": "no-cache", "Content-Type": _TYPES[".js"], "Content-Security-Policy": WORKER_POLICY}
        return web.Response(body=self._files[WORKER].content, headers=headers)

    async def icon(self, _: web.Request) -> web.Response:
        """Browsers that do not read the page's own link ask here."""
        raise web.HTTPFound(self.url("icon.svg"))
