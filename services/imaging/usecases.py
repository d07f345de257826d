"""What imaging does: bring a picture in, render it, store what pages need.

There is no database here. Every object is named by the content of the original, so each step may run any number of
times, in any number of processes at once, and stores the same bytes under the same keys.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.imaging.errors import InvalidImage
from services.imaging.kinds import MAX_BYTES, check_size_and_kind
from services.imaging.models import ProcessedImage, Rendered, Rendition, content_hash, rendition_key
from services.imaging.renderer import Renderer
from shared.blobs import Blobs, content_key
from shared.outbound import Outbound
from shared.picture_kinds import extension_of

UPLOAD_PREFIX: Final = "blob:"
"""How `source` names an object of our own; anything else is a URL."""

_ACCEPTED: Final = "image/avif,image/webp,image/jpeg,image/png,image/gif"


@dataclass(frozen=True, slots=True)
class Fetching:
    """What one remote picture may take."""

    max_bytes: int = MAX_BYTES
    max_seconds: float = 20.0


async def render_image(
    source: str,
    *,
    blobs: Blobs,
    renderer: Renderer,
    outbound: Outbound,
    fetching: Fetching | None = None,
    before_storing: Callable[[], None] = lambda: None,
) -> ProcessedImage:
    """Make and store all renditions of the picture at `source`: `blob:<key>` of an upload, or a URL.

    Safe to run twice and in parallel. A kill -9 at any line leaves nothing that has to be undone:

    1. while fetching: nothing;
    2. after the original: an object nobody refers to yet, found again by the next run under the same key;
    3. while rendering: the child dies with this process, nothing more;
    4. among the renditions: some of them, each whole; the next run writes all again;
    5. after the last: everything stored and nobody told. The job is not acked, so it comes again and answers.

    `before_storing` is called when all is rendered and no rendition is stored; what it raises ends the work there.
    If a remote picture has changed in between, a second original stays behind, unreferred to.
    Raises what fetching, the object store and the renderer raise; each error says whether a retry may help.
    """
    original, original_key = await _original(source, blobs=blobs, outbound=outbound, fetching=fetching or Fetching())
    rendered = await renderer.render(original)
    before_storing()
    renditions = await _store(rendered, content_hash(original), blobs=blobs)
    return ProcessedImage(original_key, rendered.width, rendered.height, rendered.placeholder, renditions)


async def _original(source: str, *, blobs: Blobs, outbound: Outbound, fetching: Fetching) -> tuple[bytes, str]:
    """The picture's bytes and where they are stored. A remote one is checked by its first bytes, then stored."""
    if source.startswith(UPLOAD_PREFIX):
        key = source.removeprefix(UPLOAD_PREFIX)
        return await blobs.get(key), key
    answer = await outbound.fetch(
        source, max_bytes=fetching.max_bytes, max_seconds=fetching.max_seconds, accept=_ACCEPTED
    )
    if not answer.body:
        raise InvalidImage("The address answers with an empty file.")
    kind = check_size_and_kind(answer.body)
    key = content_key("originals", answer.body, extension_of(kind))
    await blobs.put(key, answer.body)
    return answer.body, key


async def _store(rendered: Rendered, original_hash: str, *, blobs: Blobs) -> tuple[Rendition, ...]:
    """Put every rendition. When one fails, those before it stay: the next run overwrites them with the same bytes."""
    renditions = tuple(
        Rendition(
            file.preset,
            file.format,
            file.width,
            file.height,
            len(file.content),
            rendition_key(original_hash, file.preset, file.format),
        )
        for file in rendered.files
    )
    puts = zip(renditions, rendered.files, strict=True)
    stored = await asyncio.gather(
        *(blobs.put(to.key, file.content, to.format.content_type) for to, file in puts), return_exceptions=True
    )
    for failure in filter(None, stored):  # raised only when no put is under way any more
        raise failure
    return renditions
