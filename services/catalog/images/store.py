"""All SQL about pictures. Every function takes the caller's connection."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.catalog.images.models import AskedAgain, Failed, NewPicture, Overdue
from shared.contracts.events import ImageProcessed
from shared.db.pool import Connection

INSERT: Final = """
    -- Pictures that wait for their renditions, each with the event that asks for them.
    INSERT INTO catalog.images (id, product_id, position, alt, source, status, asked_by, proposed)
    SELECT id, product_id, position, alt, source, 'pending', asked_by, CASE WHEN is_proposed THEN 'add' END
    FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::uuid[], $7::bool[])
        AS i (id, product_id, position, alt, source, asked_by, is_proposed)
"""
PLACES: Final = """
    -- How many pictures a product has (with its proposal), and the first position behind them.
    SELECT count(*) FILTER (WHERE proposed IS DISTINCT FROM 'remove')::int AS pictures,
           coalesce(max(position) + 1, 0)::int AS next
    FROM catalog.images
    WHERE product_id = $1
"""
DELETE: Final = """
    -- Remove a picture; its files stay, other products may show the same ones.
    DELETE FROM catalog.images WHERE id = $1 AND product_id = $2 RETURNING id
"""
DELETE_PROPOSED: Final = """
    -- Remove a picture that was only proposed.
    DELETE FROM catalog.images WHERE id = $1 AND product_id = $2 AND proposed = 'add' RETURNING id
"""
PROPOSE_REMOVAL: Final = """
    -- A live picture is to go; no row back if that is proposed already.
    UPDATE catalog.images SET proposed = 'remove' WHERE id = $1 AND product_id = $2 AND proposed IS NULL RETURNING id
"""
FOR_RETRY: Final = """
    -- A picture as it is, held until the transaction ends.
    SELECT id, product_id, source, round, status FROM catalog.images WHERE id = $1 AND product_id = $2 FOR UPDATE
"""
ASK_AGAIN: Final = """
    -- Wait for another answer.
    UPDATE catalog.images SET status = 'pending', round = round + 1, asked_by = $2, failure = NULL WHERE id = $1
"""
HAS_OVERDUE: Final = """
    -- Whether any picture waits that was asked for before an event.
    SELECT EXISTS (SELECT FROM catalog.images WHERE status = 'pending' AND asked_by < $1)
"""
OVERTAKEN: Final = """
    -- Pictures that have waited long enough while one that was asked for later has its answer, the longest first, held
    -- unless somebody else holds them. $1 has, for each round, the id of an event just too young; the last one is for
    -- all later rounds.
    SELECT i.id, i.product_id, i.source, i.round, p.vendor_id
    FROM catalog.images i JOIN catalog.products p ON p.id = i.product_id
    WHERE i.status = 'pending' AND i.asked_by < ($1::uuid[])[1]
      AND i.asked_by < ($1::uuid[])[least(i.round, cardinality($1::uuid[]))]
      AND EXISTS (SELECT 1 FROM catalog.images o WHERE o.status = 'ready' AND o.asked_by > i.asked_by)
    ORDER BY i.asked_by LIMIT $2 FOR UPDATE OF i SKIP LOCKED
"""
LONGEST_WAITING: Final = """
    -- The one picture that has waited longest, and long enough; none while another that was asked for again may still
    -- be answered. $1 as above.
    SELECT i.id, i.product_id, i.source, i.round, p.vendor_id
    FROM catalog.images i JOIN catalog.products p ON p.id = i.product_id
    WHERE i.status = 'pending' AND i.asked_by < ($1::uuid[])[1]
      AND i.asked_by < ($1::uuid[])[least(i.round, cardinality($1::uuid[]))]
      AND NOT EXISTS (
          SELECT 1 FROM catalog.images o WHERE o.status = 'pending' AND o.round > 1
          AND o.asked_by >= ($1::uuid[])[least(o.round, cardinality($1::uuid[]))]
      )
    ORDER BY i.asked_by LIMIT 1 FOR UPDATE OF i SKIP LOCKED
"""
ASK_ALL_AGAIN: Final = """
    -- Wait for other answers; the pictures still do.
    UPDATE catalog.images i SET round = i.round + 1, asked_by = a.asked_by
    FROM unnest($1::uuid[], $2::uuid[]) AS a (id, asked_by) WHERE i.id = a.id
"""
HOLD: Final = """
    -- Hold a product, before its pictures as everybody does, so that no two wait for each other.
    SELECT id FROM catalog.products WHERE id = $1 FOR NO KEY UPDATE
"""
HOLD_ASKING: Final = """
    -- Hold the product one of whose pictures waits for the answer to an event.
    SELECT p.id FROM catalog.products p JOIN catalog.images i ON i.product_id = p.id
    WHERE i.asked_by = $1 FOR NO KEY UPDATE OF p
"""
READY: Final = """
    -- Take the renditions, once; no row back for a repeated answer. An older round's is as good: a picture keeps its
    -- source, and with a backlog in front of imaging the answer to the first round comes while a later one waits. Then
    -- the picture's own id stands for the event that was answered: nothing that was asked for since has been overtaken.
    UPDATE catalog.images
    SET status = 'ready', asked_by = CASE WHEN round = $2 THEN asked_by ELSE id END, failure = NULL,
        original_key = $3, width = $4, height = $5, placeholder = $6, renditions = $7
    WHERE id = $1 AND product_id = $8 AND round >= $2 AND status <> 'ready'
    RETURNING id
"""
FAILED: Final = """
    -- The answer that is awaited will not come; no row back when another one is awaited by now.
    UPDATE catalog.images SET status = 'failed', failure = $2 WHERE asked_by = $1 AND status = 'pending'
    RETURNING id, product_id
"""


async def insert(conn: Connection, pictures: Sequence[NewPicture], asked_by: Sequence[UUID]) -> None:
    """Write pictures, each with the id of the event that asks for its renditions."""
    await conn.execute(
        INSERT,
        [picture.id for picture in pictures],
        [picture.product_id for picture in pictures],
        [picture.position for picture in pictures],
        [picture.alt for picture in pictures],
        [picture.source for picture in pictures],
        asked_by,
        [picture.is_proposed for picture in pictures],
    )


async def places(conn: Connection, product_id: UUID) -> tuple[int, int]:
    """How many pictures a product has, and the next free position."""
    row = await conn.fetchrow(PLACES, product_id)
    assert row is not None
    return row["pictures"], row["next"]


async def delete(conn: Connection, image_id: UUID, product_id: UUID) -> bool:
    """Remove a picture; False when the product has no such one."""
    return await conn.fetchval(DELETE, image_id, product_id) is not None


async def propose_removal(conn: Connection, image_id: UUID, product_id: UUID) -> bool:
    """Let a live picture go with the product's proposal, or a proposed one at once; False when there is no such one."""
    if await conn.fetchval(DELETE_PROPOSED, image_id, product_id) is not None:
        return True
    return await conn.fetchval(PROPOSE_REMOVAL, image_id, product_id) is not None


async def for_retry(conn: Connection, image_id: UUID, product_id: UUID) -> AskedAgain | None:
    """Read a picture and hold it."""
    row = await conn.fetchrow(FOR_RETRY, image_id, product_id)
    return None if row is None else AskedAgain(**row)


async def ask_again(conn: Connection, image_id: UUID, asked_by: UUID) -> None:
    """Wait for the answer to another event."""
    await conn.execute(ASK_AGAIN, image_id, asked_by)


async def has_overdue(conn: Connection, too_young: UUID) -> bool:
    """Whether there is anything to look at."""
    return bool(await conn.fetchval(HAS_OVERDUE, too_young))


async def overtaken(conn: Connection, too_young: Sequence[UUID], *, limit: int) -> list[Overdue]:
    """Pictures that others have overtaken, held until the transaction ends. What is too young is by round, from 1."""
    return [Overdue(**row) for row in await conn.fetch(OVERTAKEN, too_young, limit)]


async def longest_waiting(conn: Connection, too_young: Sequence[UUID]) -> list[Overdue]:
    """The picture that is to be asked for first, held until the transaction ends; none while one is asked for."""
    return [Overdue(**row) for row in await conn.fetch(LONGEST_WAITING, too_young)]


async def ask_all_again(conn: Connection, image_ids: Sequence[UUID], asked_by: Sequence[UUID]) -> None:
    """Wait for the answers to other events, in the next round."""
    await conn.execute(ASK_ALL_AGAIN, image_ids, asked_by)


async def ready(conn: Connection, event: ImageProcessed) -> bool:
    """Take the renditions; False for an answer that is not awaited. The product is held from here on."""
    await conn.execute(HOLD, event.product_id)
    taken = await conn.fetchval(
        READY,
        event.image_id,
        event.round,
        event.original_key,
        event.width,
        event.height,
        event.placeholder,
        [rendition.model_dump() for rendition in event.renditions],
        event.product_id,
    )
    return taken is not None


async def failed(conn: Connection, asked_by: UUID, why: str) -> Failed | None:
    """Mark the picture that an event asked for as failed, if it still waits. Its product is held from here on."""
    await conn.execute(HOLD_ASKING, asked_by)
    row = await conn.fetchrow(FAILED, asked_by, why)
    return None if row is None else Failed(**row)
