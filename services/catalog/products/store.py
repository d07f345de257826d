"""All SQL about products. Every function takes the caller's connection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
from pydantic import JsonValue

from services.catalog.addresses import parsed_id
from services.catalog.products.errors import SkuTaken, UnknownCategory
from services.catalog.products.models import (
    Picture,
    PictureStatus,
    Product,
    Rendition,
    Status,
    Transition,
    VendorOf,
)
from services.catalog.proposals.models import Content, Proposal, ProposalStatus
from shared.contracts.base import Money
from shared.db.pool import Connection, fetch_planned

K = TypeVar("K")

INSERT: Final = """
    -- A new product; its stock row is inventory's. No row back if its vendor has to be active ($13) and is not. The
    -- vendor stays as it is until the transaction ends.
    WITH vendor AS (
        SELECT id, slug, name, version, status FROM catalog.vendors WHERE id = $2 FOR SHARE
    ), made AS (
        INSERT INTO catalog.products (id, vendor_id, sku, slug, title, description, price_minor, currency, category,
                                      attributes, status, submissions)
        SELECT $1, v.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM vendor AS v WHERE v.status = 'active' OR NOT $13
        RETURNING attributes, submitted_at, version, created_at, updated_at
    )
    SELECT v.id AS vendor_id, v.slug AS vendor_slug, v.name AS vendor_name, v.version AS vendor_version, made.*
    FROM vendor AS v CROSS JOIN made
"""
MOVE: Final = """
    -- Change the status if it is still one the action begins in; no row back if it is not.
    UPDATE catalog.products
    SET status = $3, reasons = $4, version = version + 1, updated_at = now(),
        submissions = submissions + ($3 = 'pending')::int,
        submitted_at = CASE WHEN $3 = 'pending' THEN now() ELSE submitted_at END
    WHERE id = $1 AND status = ANY($2::text[]) AND ($5::uuid IS NULL OR vendor_id = $5)
    RETURNING version
"""
CHANGE: Final = """
    -- Set what is given if the row is still at the version the caller read; no row back if it is not.
    UPDATE catalog.products
    SET title = coalesce($4, title), description = coalesce($5, description), category = coalesce($6, category),
        attributes = coalesce($7::jsonb, attributes), price_minor = coalesce($8, price_minor),
        currency = coalesce($9, currency), version = version + 1, updated_at = now()
    WHERE id = $1 AND vendor_id = $2 AND version = $3 AND status = ANY($10::text[])
    RETURNING version
"""
TOUCH: Final = """
    -- Raise the version (and hold the row) because something shown with it changes; no row back if it may not.
    UPDATE catalog.products SET version = version + 1, updated_at = now()
    WHERE id = $1 AND ($2::uuid IS NULL OR vendor_id = $2) AND status = ANY($3::text[])
    RETURNING version, slug, status, vendor_id, (
        SELECT count(*) FROM catalog.images AS i WHERE i.product_id = $1 AND i.proposed IS DISTINCT FROM 'add'
    ) AS pictures
"""
HOLD: Final = """
    -- Keep a product as it is until the transaction ends.
    SELECT id FROM catalog.products WHERE id = $1 AND ($2::uuid IS NULL OR vendor_id = $2) FOR NO KEY UPDATE
"""
SUBMITTED_AGAIN: Final = """
    -- One time more that the admins are asked about a product.
    UPDATE catalog.products SET submissions = submissions + 1 WHERE id = $1 RETURNING submissions
"""

_FIELDS: Final = """
    SELECT p.id, p.sku, p.slug, p.title, p.description, p.price_minor, p.currency, p.category, p.attributes,
           p.status, p.reasons, p.submissions, p.submitted_at, p.version, p.created_at, p.updated_at,
           v.id AS vendor_id, v.slug AS vendor_slug, v.name AS vendor_name, v.version AS vendor_version,
           s.on_hand, s.version AS stock_version,
           (SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'id', i.id, 'status', i.status, 'alt', i.alt, 'placeholder', i.placeholder,
                       'renditions', i.renditions, 'failure', i.failure, 'proposed', i.proposed)
                   ORDER BY i.position), '[]')
            FROM catalog.images i WHERE i.product_id = p.id) AS pictures
"""
_TABLES: Final = """
    FROM catalog.products p
    JOIN catalog.vendors v ON v.id = p.vendor_id
    JOIN catalog.stock s ON s.product_id = p.id
"""
_COLUMNS: Final = f"{_FIELDS} {_TABLES}"
_OWN: Final = f"""
    {_FIELDS}, to_jsonb(n) AS proposed {_TABLES} LEFT JOIN catalog.proposals n ON n.product_id = p.id
"""
# Not `= 'active'`: PostgreSQL keeps no statistics of so small a table, takes that for rare, and therefore would read a
# whole category for its first page.
_SHOWN: Final = "p.status = 'approved' AND v.status <> 'suspended'"
_FILTER: Final = """
    AND ($2::text IS NULL OR p.category = $2)
    AND ($3::uuid IS NULL OR p.vendor_id = $3)
    AND ($4::text IS NULL OR p.title ILIKE $4 OR p.sku ILIKE $4)
    AND ($5::bigint IS NULL OR p.price_minor >= $5)
    AND ($6::bigint IS NULL OR p.price_minor <= $6)
    AND ($7::boolean IS NULL OR (s.on_hand > 0) = $7)
"""

ONE: Final = f"""
    -- A product as its vendor ($2) or, without one, an admin sees it.
    {_OWN} WHERE p.id = $1 AND ($2::uuid IS NULL OR p.vendor_id = $2)
"""
SHOWN_BY_IDS: Final = f"""
    -- Products of the catalogue.
    {_COLUMNS} WHERE p.id = ANY($1::uuid[]) AND {_SHOWN}
"""
SHOWN_BY_SLUGS: Final = f"""
    -- Products of the catalogue, by their names in addresses.
    {_COLUMNS} WHERE p.slug = ANY($1::text[]) AND {_SHOWN}
"""
PLANNED_KEYS: Final = 10
"""PostgreSQL plans a list that it does not know for ten. A shorter one looks cheaper with a plan of its own, and
making that takes longer than reading the products."""
OF_VENDOR: Final = f"""
    -- A vendor's products below a position, newest first.
    {_OWN} WHERE p.vendor_id = $1 AND ($2::text IS NULL OR p.status = $2) AND ($3::uuid IS NULL OR p.id < $3)
    ORDER BY p.id DESC LIMIT $4
"""
OF_ALL: Final = f"""
    -- Everybody's products below a position, newest first: of a status, of a vendor, with some letters in title or SKU.
    {_OWN} WHERE ($1::text IS NULL OR p.status = $1) AND ($2::uuid IS NULL OR p.vendor_id = $2)
        AND ($3::text IS NULL OR p.title ILIKE $3 OR p.sku ILIKE $3) AND ($4::uuid IS NULL OR p.id < $4)
    ORDER BY p.id DESC LIMIT $5
"""
BY_STATUS: Final = f"""
    -- Everybody's products of one status below a position, newest first.
    {_OWN} WHERE p.status = $1 AND ($2::uuid IS NULL OR p.id < $2)
    ORDER BY p.id DESC LIMIT $3
"""
WITH_PROPOSAL: Final = f"""
    -- Everybody's approved products whose proposal waits, below a position, what was proposed last first.
    {_OWN} WHERE n.status = 'pending' AND p.status = 'approved' AND ($1::uuid IS NULL OR n.id < $1)
    ORDER BY n.id DESC LIMIT $2
"""
_ASKED: Final = """
    SELECT id, since FROM (
        SELECT id, submitted_at AS since FROM catalog.products
        WHERE status = 'pending' AND $1::text IS DISTINCT FROM 'changes'
        UNION ALL
        SELECT live.id, asked.proposed_at FROM catalog.proposals asked
        JOIN catalog.products live ON live.id = asked.product_id
        WHERE asked.status = 'pending' AND live.status = 'approved' AND $1::text IS DISTINCT FROM 'new'
    ) waiting
    WHERE $2::timestamptz IS NULL OR (since, id) > ($2, $3::uuid)
    ORDER BY since, id LIMIT $4
"""
WAITING: Final = f"""
    -- What waits for a decision behind a position, the longest first: products ('new') and proposals ('changes').
    {_OWN} JOIN ({_ASKED}) shown ON shown.id = p.id ORDER BY shown.since, shown.id
"""
WAITING_COUNTS: Final = """
    -- How many products and how many proposals wait for a decision.
    SELECT (SELECT count(*) FROM catalog.products WHERE status = 'pending') AS new,
           (SELECT count(*) FROM catalog.proposals n JOIN catalog.products p ON p.id = n.product_id
            WHERE n.status = 'pending' AND p.status = 'approved') AS changes
"""
VENDOR_NAMED: Final = """
    -- The vendor of this name in addresses, or else of this id.
    SELECT id FROM catalog.vendors WHERE slug = $1 OR id = $2 ORDER BY slug = $1 DESC LIMIT 1
"""
NEWEST: Final = f"""
    -- The catalogue below a position, newest first. Levels are bounded too: a merge would pass all those above.
    {_COLUMNS} WHERE {_SHOWN} {_FILTER} AND ($8::uuid IS NULL OR p.id < $8 AND s.product_id < $8)
    ORDER BY p.id DESC LIMIT $1
"""
CHEAPEST: Final = f"""
    -- The catalogue above a position, lowest price first.
    {_COLUMNS} WHERE {_SHOWN} {_FILTER} AND ($8::bigint IS NULL OR (p.price_minor, p.id) > ($8, $9::uuid))
    ORDER BY p.price_minor, p.id LIMIT $1
"""
DEAREST: Final = f"""
    -- The catalogue below a position, highest price first.
    {_COLUMNS} WHERE {_SHOWN} {_FILTER} AND ($8::bigint IS NULL OR (p.price_minor, p.id) < ($8, $9::uuid))
    ORDER BY p.price_minor DESC, p.id DESC LIMIT $1
"""
VENDOR_STATUS: Final = """
    -- Whether a vendor may sell, and what it is called; held until the transaction ends.
    SELECT name, status FROM catalog.vendors WHERE id = $1 FOR SHARE
"""


@dataclass(frozen=True, slots=True)
class NewProduct:
    """What is written of a new product."""

    id: UUID
    vendor_id: UUID
    sku: str
    slug: str
    title: str
    description: str
    price: Money
    category: str
    attributes: Mapping[str, JsonValue]
    status: Status


@dataclass(frozen=True, slots=True)
class Inserted:
    """What only the database could say of a new product."""

    vendor: VendorOf
    attributes: Mapping[str, JsonValue]
    submitted_at: datetime
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """What to set; None leaves it as it is."""

    title: str | None = None
    description: str | None = None
    category: str | None = None
    attributes: Mapping[str, JsonValue] | None = None
    price: Money | None = None

    @property
    def content(self) -> Content:
        """What an admin decides about."""
        return Content(self.title, self.description, self.category, self.attributes)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a reader of the catalogue looks for. `pattern` is one of ILIKE. Prices in minor units."""

    category: str | None = None
    vendor: str | None = None
    """Its name in addresses, or its id."""
    pattern: str | None = None
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool | None = None


@dataclass(frozen=True, slots=True)
class WaitingCounts:
    """How much waits for a decision."""

    new: int
    changes: int


@dataclass(frozen=True, slots=True)
class Touched:
    """The row whose version was just raised."""

    version: int
    slug: str
    status: str
    vendor_id: UUID
    pictures: int

    @property
    def is_approved(self) -> bool:
        """Whether what changes of it is proposed first."""
        return self.status == Status.APPROVED


async def insert(conn: Connection, new: NewProduct, *, needs_active: bool) -> Inserted | None:
    """Write a product. None: its vendor is not active and has to be. Raises `SkuTaken` and `UnknownCategory`."""
    try:
        row = await conn.fetchrow(
            INSERT,
            new.id,
            new.vendor_id,
            new.sku,
            new.slug,
            new.title,
            new.description,
            new.price.amount_minor,
            new.price.currency,
            new.category,
            dict(new.attributes),
            new.status.value,
            int(new.status is Status.PENDING),
            needs_active,
        )
    except asyncpg.UniqueViolationError as exc:
        if exc.constraint_name != "products_sku":
            raise
        raise SkuTaken.of(new.sku) from exc
    except asyncpg.ForeignKeyViolationError as exc:
        raise UnknownCategory.of(new.category) from exc
    if row is None:
        return None
    return Inserted(
        vendor=_vendor(row),
        attributes=row["attributes"],
        submitted_at=row["submitted_at"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def move(
    conn: Connection,
    product_id: UUID,
    transition: Transition,
    *,
    reasons: Sequence[Mapping[str, str]] = (),
    vendor_id: UUID | None = None,
) -> bool:
    """Take a product from where the transition begins to its target. False: it is elsewhere, or not the vendor's."""
    version = await conn.fetchval(
        MOVE, product_id, [*transition.sources], transition.target.value, list(reasons), vendor_id
    )
    return version is not None


async def change(
    conn: Connection, product_id: UUID, changes: Changes, *, vendor_id: UUID, version: int, statuses: frozenset[Status]
) -> bool:
    """Set what is given, in one of the statuses and at this version only. Raises `UnknownCategory`."""
    price = changes.price
    try:
        changed = await conn.fetchval(
            CHANGE,
            product_id,
            vendor_id,
            version,
            changes.title,
            changes.description,
            changes.category,
            None if changes.attributes is None else dict(changes.attributes),
            None if price is None else price.amount_minor,
            None if price is None else price.currency,
            [*statuses],
        )
    except asyncpg.ForeignKeyViolationError as exc:
        raise UnknownCategory.of(changes.category or "") from exc
    return changed is not None


async def touch(
    conn: Connection, product_id: UUID, *, statuses: frozenset[Status], vendor_id: UUID | None = None
) -> Touched | None:
    """Raise the version. The row is held until the transaction ends: pictures of one product change one by one."""
    row = await conn.fetchrow(TOUCH, product_id, vendor_id, [*statuses])
    return None if row is None else Touched(**row)


async def hold(conn: Connection, product_id: UUID, *, vendor_id: UUID | None = None) -> None:
    """Keep a product as it is until the transaction ends; with `vendor_id` only if it is that vendor's."""
    await conn.execute(HOLD, product_id, vendor_id)


async def submitted_again(conn: Connection, product_id: UUID) -> int:
    """How many times the admins have been asked about a product, this time included."""
    submissions: int = await conn.fetchval(SUBMITTED_AGAIN, product_id)
    return submissions


async def one(conn: Connection, product_id: UUID, *, vendor_id: UUID | None = None) -> Product | None:
    """A product whatever its status; with `vendor_id` only if it is that vendor's."""
    row = await conn.fetchrow(ONE, product_id, vendor_id)
    return None if row is None else _product(row)


async def shown_by_ids(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, Product]:
    """Products of the catalogue; at least one is wanted."""
    return {row["id"]: _product(row) for row in await conn.fetch(SHOWN_BY_IDS, _lengthened(ids))}


async def shown_by_slugs(conn: Connection, slugs: Sequence[str]) -> dict[str, Product]:
    """Products of the catalogue, by their names in addresses; at least one is wanted."""
    return {row["slug"]: _product(row) for row in await conn.fetch(SHOWN_BY_SLUGS, _lengthened(slugs))}


async def of_vendor(
    conn: Connection, vendor_id: UUID, *, status: Status | None, below: UUID | None, limit: int
) -> list[Product]:
    """A vendor's products, newest first."""
    return [_product(row) for row in await conn.fetch(OF_VENDOR, vendor_id, status, below, limit)]


async def of_all(
    conn: Connection,
    *,
    status: Status | None,
    vendor_id: UUID | None,
    pattern: str | None,
    below: UUID | None,
    limit: int,
) -> list[Product]:
    """Everybody's products, newest first. `pattern` is one of ILIKE."""
    fetch = conn.fetch if pattern is None else partial(fetch_planned, conn)
    return [_product(row) for row in await fetch(OF_ALL, status, vendor_id, pattern, below, limit)]


async def by_status(conn: Connection, status: Status, *, below: UUID | None, limit: int) -> list[Product]:
    """Everybody's products of one status, newest first."""
    return [_product(row) for row in await conn.fetch(BY_STATUS, status.value, below, limit)]


async def with_proposal(conn: Connection, *, below: UUID | None, limit: int) -> list[Product]:
    """Everybody's products whose proposal waits for a decision, what was proposed last first."""
    return [_product(row) for row in await conn.fetch(WITH_PROPOSAL, below, limit)]


async def waiting(
    conn: Connection, kind: str | None, *, behind: tuple[datetime, UUID] | None, limit: int
) -> list[Product]:
    """What waits for a decision, the longest first; of one kind, `new` or `changes`, or of both."""
    rows = await conn.fetch(WAITING, kind, *(behind or (None, None)), limit)
    return [_product(row) for row in rows]


async def waiting_counts(conn: Connection) -> WaitingCounts:
    """How much waits for a decision."""
    row = await conn.fetchrow(WAITING_COUNTS)
    assert row is not None, "it has no condition"
    return WaitingCounts(**row)


async def newest(conn: Connection, wanted: Filter, *, below: UUID | None, limit: int) -> list[Product]:
    """The catalogue, newest first."""
    return await _catalogue(conn, NEWEST, wanted, below, limit=limit)


async def by_price(
    conn: Connection, wanted: Filter, *, dearest_first: bool, behind: tuple[int, UUID] | None, limit: int
) -> list[Product]:
    """The catalogue in order of price."""
    statement = DEAREST if dearest_first else CHEAPEST
    return await _catalogue(conn, statement, wanted, *(behind or (None, None)), limit=limit)


async def _catalogue(conn: Connection, statement: str, wanted: Filter, *behind: object, limit: int) -> list[Product]:
    """A vendor is asked for beforehand: of a certain one PostgreSQL knows how much it has, and for one that has little
    or is nobody it would otherwise look through everybody's products.
    """
    vendor_id = None
    if wanted.vendor is not None:
        vendor_id = await conn.fetchval(VENDOR_NAMED, wanted.vendor, parsed_id(wanted.vendor))
        if vendor_id is None:
            return []
    is_first_of_all = wanted == Filter() and all(place is None for place in behind)
    fetch = conn.fetch if is_first_of_all else partial(fetch_planned, conn)
    return [_product(row) for row in await fetch(statement, limit, *_wanted(wanted, vendor_id), *behind)]


async def vendor_status(conn: Connection, vendor_id: UUID) -> tuple[str, bool]:
    """A vendor's name, and whether it is active. It stays so until the transaction ends."""
    row = await conn.fetchrow(VENDOR_STATUS, vendor_id)
    assert row is not None, "an account's vendor exists by constraint"
    return row["name"], row["status"] == "active"


def _wanted(wanted: Filter, vendor_id: UUID | None) -> tuple[Any, ...]:
    return (
        wanted.category,
        vendor_id,
        wanted.pattern,
        wanted.min_price,
        wanted.max_price,
        wanted.in_stock,
    )


def _lengthened(keys: Sequence[K]) -> Sequence[K]:
    """As long as one plan is made for, the first again and again: it is found once."""
    return [*keys, *([keys[0]] * (PLANNED_KEYS - len(keys)))]


def _product(row: asyncpg.Record) -> Product:
    return Product(
        id=row["id"],
        sku=row["sku"],
        slug=row["slug"],
        title=row["title"],
        description=row["description"],
        price=Money(amount_minor=row["price_minor"], currency=row["currency"]),
        category=row["category"],
        attributes=row["attributes"],
        vendor=_vendor(row),
        status=Status(row["status"]),
        reasons=tuple(row["reasons"]),
        submissions=row["submissions"],
        submitted_at=row["submitted_at"],
        version=row["version"],
        on_hand=row["on_hand"],
        stock_version=row["stock_version"],
        pictures=tuple(_picture(picture) for picture in row["pictures"] if picture["proposed"] != "add"),
        proposed_pictures=tuple(_picture(picture) for picture in row["pictures"] if picture["proposed"] != "remove"),
        proposed=None if (proposed := row.get("proposed")) is None else _proposal(proposed),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _vendor(row: asyncpg.Record) -> VendorOf:
    return VendorOf(row["vendor_id"], row["vendor_slug"], row["vendor_name"], row["vendor_version"])


def _proposal(value: Mapping[str, Any]) -> Proposal:
    return Proposal(
        id=UUID(value["id"]),
        status=ProposalStatus(value["status"]),
        content=Content(value["title"], value["description"], value["category"], value["attributes"]),
        reasons=tuple(value["reasons"]),
        revision=value["revision"],
        proposed_at=datetime.fromisoformat(value["proposed_at"]),
        updated_at=datetime.fromisoformat(value["updated_at"]),
    )


def _picture(value: Mapping[str, Any]) -> Picture:
    return Picture(
        id=UUID(value["id"]),
        status=PictureStatus(value["status"]),
        alt=value["alt"],
        placeholder=value["placeholder"],
        renditions=tuple(Rendition(**rendition) for rendition in value["renditions"]),
        failure=value["failure"],
    )
