-- migrate:up

-- Where a vendor's own system says how much there is. A pull is fetched from `url`; a push comes signed. `sealed` is
-- encrypted: the credentials of a pull, the secret of a push.
CREATE TABLE catalog.sync_sources (
    id               uuid        PRIMARY KEY,
    vendor_id        uuid        NOT NULL REFERENCES catalog.vendors (id),
    name             text        NOT NULL CHECK (name <> '' AND length(name) <= 100),
    kind             text        NOT NULL CHECK (kind IN ('pull', 'push')),
    format           text        NOT NULL CHECK (format IN ('json', 'csv')),
    layout           jsonb       NOT NULL CHECK (jsonb_typeof(layout) = 'object'),
    url              text        CHECK (length(url) <= 2000),
    sealed           bytea,
    interval_seconds integer     CHECK (interval_seconds BETWEEN 60 AND 604800),
    is_enabled       boolean     NOT NULL DEFAULT true,
    -- Bad runs in a row; after three the vendor is told and it counts as failing until one succeeds.
    failures         integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
    is_failing       boolean     NOT NULL DEFAULT false,
    problem          text,
    -- Of the last document that was applied whole, and when: what is unchanged since need not be sent again.
    etag             text,
    applied_at       timestamptz,
    next_run_at      timestamptz,
    version          integer     NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (vendor_id, name),
    CHECK ((kind = 'pull') = (url IS NOT NULL)),
    CHECK (kind = 'pull' OR interval_seconds IS NULL),
    CHECK (kind = 'pull' OR sealed IS NOT NULL)
);
CREATE INDEX sync_sources_due ON catalog.sync_sources (next_run_at) WHERE is_enabled AND next_run_at IS NOT NULL;

-- What the source calls a product, where that is not the product's own sku.
CREATE TABLE catalog.sync_skus (
    source_id    uuid NOT NULL REFERENCES catalog.sync_sources (id) ON DELETE CASCADE,
    external_sku text NOT NULL CHECK (external_sku <> '' AND length(external_sku) <= 100),
    product_id   uuid NOT NULL REFERENCES catalog.products (id) ON DELETE CASCADE,
    PRIMARY KEY (source_id, external_sku)
);
CREATE INDEX sync_skus_product ON catalog.sync_skus (product_id);

-- The newest version of a source that was applied to a product: an older one never overwrites it.
CREATE TABLE catalog.sync_positions (
    source_id  uuid   NOT NULL REFERENCES catalog.sync_sources (id) ON DELETE CASCADE,
    product_id uuid   NOT NULL REFERENCES catalog.products (id) ON DELETE CASCADE,
    version    bigint NOT NULL,
    run_id     uuid   NOT NULL,
    PRIMARY KEY (source_id, product_id)
);
CREATE INDEX sync_positions_product ON catalog.sync_positions (product_id);

-- One bringing in line. A push keeps its body (zlib) until it is done. `touched_at` is its last sign of progress,
-- `round` counts how often a worker was asked for it.
CREATE TABLE catalog.sync_runs (
    id          uuid        PRIMARY KEY,
    source_id   uuid        NOT NULL REFERENCES catalog.sync_sources (id) ON DELETE CASCADE,
    cause       text        NOT NULL CHECK (cause IN ('interval', 'hand', 'push', 'job')),
    state       text        NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    round       integer     NOT NULL DEFAULT 1,
    body        bytea,
    signature   bytea       CHECK (length(signature) = 32),
    fallback    bigint,
    changed     integer     NOT NULL DEFAULT 0,
    unchanged   integer     NOT NULL DEFAULT 0,
    older       integer     NOT NULL DEFAULT 0,
    unmatched   integer     NOT NULL DEFAULT 0,
    invalid     integer     NOT NULL DEFAULT 0,
    is_modified boolean     NOT NULL DEFAULT true,
    -- The first of the rows that name no product, and of those that cannot be read.
    unmatched_skus jsonb    NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(unmatched_skus) = 'array'),
    errors      jsonb       NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(errors) = 'array'),
    problem     text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    touched_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz,
    CHECK ((cause = 'push') = (signature IS NOT NULL)),
    CHECK ((state IN ('queued', 'running')) = (finished_at IS NULL))
);
CREATE INDEX sync_runs_of_source ON catalog.sync_runs (source_id, id DESC);
-- A source is pulled by one run at a time.
CREATE UNIQUE INDEX sync_runs_one_pull ON catalog.sync_runs (source_id) WHERE finished_at IS NULL AND cause <> 'push';
-- The same push again is known.
CREATE UNIQUE INDEX sync_runs_signature ON catalog.sync_runs (source_id, signature) WHERE signature IS NOT NULL;
CREATE INDEX sync_runs_open ON catalog.sync_runs (touched_at) WHERE finished_at IS NULL;
CREATE INDEX sync_runs_age ON catalog.sync_runs (created_at);
