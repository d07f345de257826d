-- migrate:up

-- What vendors sell. `version` rises with every change that a reader could see; `submissions` counts how often approval
-- was asked for; `reasons` are those of the last rejection.
CREATE TABLE catalog.products (
    id           uuid        PRIMARY KEY,
    vendor_id    uuid        NOT NULL REFERENCES catalog.vendors (id),
    sku          text        NOT NULL CHECK (sku <> ''),
    slug         text        NOT NULL UNIQUE,
    title        text        NOT NULL CHECK (title <> ''),
    description  text        NOT NULL,
    price_minor  bigint      NOT NULL CHECK (price_minor >= 0),
    currency     text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    category     text        NOT NULL REFERENCES catalog.categories (slug),
    attributes   jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object'),
    status       text        NOT NULL
        CHECK (status IN ('draft', 'pending', 'approved', 'rejected', 'suspended', 'archived')),
    reasons      jsonb       NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(reasons) = 'array'),
    submissions  integer     NOT NULL DEFAULT 0,
    version      integer     NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
-- An archived product gives its sku free.
CREATE UNIQUE INDEX products_sku ON catalog.products (vendor_id, sku) WHERE status <> 'archived';
CREATE INDEX products_of_vendor ON catalog.products (vendor_id, id DESC);
CREATE INDEX products_by_status ON catalog.products (status, id DESC);
CREATE INDEX products_newest ON catalog.products (id DESC) WHERE status = 'approved';
CREATE INDEX products_cheapest ON catalog.products (price_minor, id) WHERE status = 'approved';
CREATE INDEX products_of_category ON catalog.products (category, id DESC) WHERE status = 'approved';
CREATE INDEX products_title ON catalog.products USING gin (title public.gin_trgm_ops) WHERE status = 'approved';

-- The pictures of a product, in the order shown. `asked_by` is the `image.added` event whose answer is awaited;
-- `round` rises each time it is asked again.
CREATE TABLE catalog.images (
    id           uuid        PRIMARY KEY,
    product_id   uuid        NOT NULL REFERENCES catalog.products (id) ON DELETE CASCADE,
    position     integer     NOT NULL,
    alt          text        NOT NULL,
    source       text        NOT NULL,
    status       text        NOT NULL CHECK (status IN ('pending', 'ready', 'failed')),
    round        integer     NOT NULL DEFAULT 1,
    asked_by     uuid        NOT NULL UNIQUE,
    original_key text,
    width        integer,
    height       integer,
    placeholder  text,
    renditions   jsonb       NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(renditions) = 'array'),
    failure      text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (product_id, position),
    CHECK (status <> 'ready' OR (original_key IS NOT NULL AND width > 0 AND height > 0))
);

-- One level per product, in pieces. `version` rises with every movement; `alert_opened_at` is set while the vendor has
-- been told that the level is at or below the threshold.
CREATE TABLE catalog.stock (
    product_id      uuid        PRIMARY KEY REFERENCES catalog.products (id) ON DELETE CASCADE,
    on_hand         integer     NOT NULL CHECK (on_hand >= 0),
    threshold       integer     NOT NULL DEFAULT 5 CHECK (threshold >= 0),
    version         integer     NOT NULL DEFAULT 1,
    alert_opened_at timestamptz,
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stock_low ON catalog.stock (product_id) WHERE on_hand <= threshold AND alert_opened_at IS NULL;
CREATE INDEX stock_alerts ON catalog.stock (product_id) WHERE alert_opened_at IS NOT NULL;

-- Why the level is what it is: the sum of `delta` is the level, `on_hand` what it was after the movement.
CREATE TABLE catalog.movements (
    product_id uuid        NOT NULL REFERENCES catalog.products (id) ON DELETE CASCADE,
    version    integer     NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('receive', 'adjust', 'sale', 'return', 'sync')),
    delta      integer     NOT NULL CHECK (delta <> 0),
    on_hand    integer     NOT NULL CHECK (on_hand >= 0),
    reference  text        NOT NULL DEFAULT '',
    account_id uuid        REFERENCES catalog.accounts (id), -- null: Souk itself
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (product_id, version)
);
CREATE FUNCTION catalog.movements_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a stock movement is corrected by another one, never changed';
END $$;
CREATE TRIGGER movements_stay BEFORE UPDATE ON catalog.movements
    FOR EACH ROW EXECUTE FUNCTION catalog.movements_stay();

-- What channels sold, once per number of theirs. `body_hash` tells a repetition from another order of the same number.
CREATE TABLE catalog.orders (
    id           uuid        PRIMARY KEY,
    account_id   uuid        NOT NULL REFERENCES catalog.accounts (id),
    external_id  text        NOT NULL CHECK (external_id <> ''),
    body_hash    bytea       NOT NULL,
    status       text        NOT NULL CHECK (status IN ('placed', 'cancelled')),
    placed_at    timestamptz NOT NULL,
    cancelled_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account_id, external_id),
    CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL))
);
CREATE TABLE catalog.order_lines (
    order_id         uuid    NOT NULL REFERENCES catalog.orders (id) ON DELETE CASCADE,
    line             integer NOT NULL,
    product_id       uuid    NOT NULL REFERENCES catalog.products (id),
    vendor_id        uuid    NOT NULL REFERENCES catalog.vendors (id),
    title            text    NOT NULL,
    quantity         integer NOT NULL CHECK (quantity > 0),
    unit_price_minor bigint  NOT NULL CHECK (unit_price_minor >= 0),
    currency         text    NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    PRIMARY KEY (order_id, line)
);
CREATE INDEX order_lines_product ON catalog.order_lines (product_id);

-- A wish that every gateway replica clears (or expires) its caches; replicas write what they did beside it.
CREATE TABLE catalog.cache_clear_requests (
    id           uuid        PRIMARY KEY,
    mode         text        NOT NULL CHECK (mode IN ('clear', 'expire')),
    job_id       uuid        UNIQUE,
    requested_at timestamptz NOT NULL DEFAULT now()
);
