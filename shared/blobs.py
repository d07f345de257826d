"""The object store: pictures, their renditions and reports, in a local folder or in S3.

The address decides: `file:///srv/souk/blobs` (the folder is made), `s3://bucket/prefix` (credentials, region and
endpoint by the usual `AWS_…` variables, which obstore reads itself), `memory:///` (tests).
"""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from shared.errors import DependencyDown, NotFound, Unavailable

_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_-]+)*")
_MAX_KEY_CHARS: Final = 300
PROBE_KEY: Final = "is-the-store-there"
PROBE_SECONDS: Final = 5.0
_CONTENT_TYPES: Final = {
    "avif": "image/avif",
    "csv": "text/csv; charset=utf-8",
    "gif": "image/gif",
    "html": "text/html; charset=utf-8",
    "jpg": "image/jpeg",
    "json": "application/json",
    "png": "image/png",
    "webp": "image/webp",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class BlobNotFound(NotFound):
    """No object has this key, or the key is not one of ours."""

    code = "blob_not_found"


class ObjectStoreDown(DependencyDown):
    """The store itself is away, full or read-only: it refuses a harmless question of ours too."""


@dataclass(frozen=True, slots=True)
class BlobHead:
    """What is known of an object without reading it. `etag` is quoted, as HTTP wants it, or None."""

    key: str
    size_bytes: int
    etag: str | None
    modified_at: datetime


def content_key(prefix: str, content: bytes, extension: str) -> str:
    """A key named by the content: `originals/ab/ab12….jpg`. Equal content has one key, so putting it twice is free."""
    return digest_key(prefix, hashlib.sha256(content).hexdigest(), extension)


def digest_key(prefix: str, sha256: str, extension: str) -> str:
    """The same, of content whose SHA-256 is known in hexadecimal."""
    return f"{prefix}/{sha256[:2]}/{sha256}.{extension}"


def content_type_of(key: str) -> str:
    """The media type to serve an object with, by its key's extension: a local folder stores no types."""
    return _CONTENT_TYPES.get(key.rpartition(".")[2], "application/octet-stream")


class Blobs:
    """The objects of one installation. Made by `open_blobs`; safe to share between tasks.

    A method given a key that could not be ours (`..`, a leading slash, odd characters) behaves as if there was no such
    object; `put` refuses it with `ValueError`. Every method raises `Unavailable` when the store does not answer, and
    `ObjectStoreDown` when that is not this object's doing. A folder that is gone is such a store, not an empty one.
    """

    def __init__(self, store: ObjectStore, *, local_root: Path | None = None) -> None:
        self._store = store
        self._local_root = local_root

    async def put(self, key: str, content: bytes | Path, content_type: str | None = None) -> None:
        """Store an object, or what is in a file, in place of what was there. Readers see the old or the new one whole.

        When this returns, the object survives a power cut: S3 answers only then, and in a folder the file and the
        folders above it are synced. A process killed before that leaves either nothing or the whole object, and in a
        folder perhaps a stray `<name>#<n>` beside it, which nothing reads. A power cut before the return may leave an
        empty or partial file under the key, so whoever was not told of success puts it again.
        """
        if not _is_key(key):
            raise ValueError(f"not a blob key: {key[:80]!r}")
        # obstore's LocalStore refuses attributes; there the extension says the type.
        attributes = {"Content-Type": content_type or content_type_of(key)} if self._local_root is None else None
        try:
            await self._check_root()
            await self._store.put_async(key, content, attributes=attributes)
            if self._local_root is not None:
                await asyncio.to_thread(_sync, self._local_root, key)
        except (BaseError, OSError) as exc:
            raise await self._blamed(f"The object store did not take {key}.", writing=True) from exc

    async def get(self, key: str) -> bytes:
        """Read a whole object. Raises `BlobNotFound`."""
        try:
            answer = await self._store.get_async(_known(key))
            return bytes(await answer.bytes_async())
        except FileNotFoundError as exc:
            await self._check_root()
            raise BlobNotFound(f"There is no object {key}.") from exc
        except (BaseError, OSError) as exc:
            raise await self._blamed(f"The object store did not give {key}.") from exc

    async def head(self, key: str) -> BlobHead | None:
        """What is known of an object, or None if there is none."""
        if not _is_key(key):
            return None
        try:
            meta = await self._store.head_async(key)
        except FileNotFoundError:
            await self._check_root()
            return None
        except (BaseError, OSError) as exc:
            raise await self._blamed(f"The object store did not answer for {key}.") from exc
        return BlobHead(key, meta["size"], meta["e_tag"], meta["last_modified"])

    async def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        return await self.head(key) is not None

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there counts as removed."""
        if not _is_key(key):
            return
        try:
            with suppress(FileNotFoundError):
                await self._store.delete_async(key)
        except (BaseError, OSError) as exc:
            raise await self._blamed(f"The object store did not delete {key}.", writing=True) from exc

    async def stream(self, key: str, *, chunk_bytes: int = 256 * 1024) -> AsyncIterator[bytes]:
        """Read an object piece by piece. Raises `BlobNotFound` before the first piece, `Unavailable` at any."""
        try:
            answer = await self._store.get_async(_known(key))
            async for piece in answer.stream(min_chunk_size=chunk_bytes):
                yield bytes(piece)
        except FileNotFoundError as exc:
            await self._check_root()
            raise BlobNotFound(f"There is no object {key}.") from exc
        except (BaseError, OSError) as exc:
            raise await self._blamed(f"The object store did not give {key}.") from exc

    async def _check_root(self) -> None:
        """Raise `ObjectStoreDown` when the folder of a local store is gone: an unmounted disk has no objects either."""
        if self._local_root is not None and not await asyncio.to_thread(self._local_root.is_dir):
            raise ObjectStoreDown("The folder of the object store is gone.")

    async def _blamed(self, detail: str, *, writing: bool = False) -> Unavailable:
        """The error for a call that failed: the store is down when it fails at an object of no meaning as well."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                if writing:
                    await self._store.put_async(PROBE_KEY, b"probe")
                    await self._store.delete_async(PROBE_KEY)
                else:
                    with suppress(FileNotFoundError):
                        await self._store.head_async(PROBE_KEY)
        except (BaseError, OSError):  # a time-out is one
            return ObjectStoreDown(detail)
        return Unavailable(detail)


@asynccontextmanager
async def open_blobs(url: str) -> AsyncIterator[Blobs]:
    """Open the object store at `url` (see the module). Raises `ValueError` for an address it does not understand.

    A folder is made and tried at once; S3 is not contacted before the first call.
    """
    parts = urlsplit(url)
    match parts.scheme:
        case "file" if parts.path.startswith("/") and parts.netloc in ("", "localhost"):
            root = Path(unquote(parts.path))
            await asyncio.to_thread(root.mkdir, parents=True, exist_ok=True)
            yield Blobs(LocalStore(root), local_root=root)
        case "s3" if parts.netloc:
            yield Blobs(
                S3Store(
                    parts.netloc,
                    prefix=unquote(parts.path).strip("/") or None,
                    client_options={"connect_timeout": timedelta(seconds=5), "timeout": timedelta(seconds=30)},
                    retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=20)},
                )
            )
        case "memory":
            yield Blobs(MemoryStore())
        case _:
            raise ValueError(f"SOUK_BLOBS_URL is file:///…, s3://bucket/prefix or memory:///, not {url!r}")


def _is_key(key: str) -> bool:
    return len(key) <= _MAX_KEY_CHARS and _KEY.fullmatch(key) is not None


def _known(key: str) -> str:
    if not _is_key(key):
        raise BlobNotFound("There is no such object.")
    return key


def _sync(root: Path, key: str) -> None:
    """Bring a file, its name and the names of its folders to the disk."""
    path = root / key
    while True:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if path == root:
            return
        path = path.parent
