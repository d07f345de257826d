-- migrate:up

CREATE TABLE catalog.vendors (
    id          uuid        PRIMARY KEY,
    slug        text        NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 80),
    name        text        NOT NULL CHECK (name <> '' AND length(name) <= 200),
    -- What shoppers read about the vendor. No mail addresses here: it is public.
    profile     text        NOT NULL DEFAULT '' CHECK (length(profile) <= 5000),
    status      text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    version     bigint      NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

-- Who signs in, and the machines that act as someone. A vendor may have several accounts; a channel has no mailbox.
CREATE TABLE catalog.accounts (
    id            uuid        PRIMARY KEY,
    email         text        CHECK (email <> '' AND length(email) <= 254),
    name          text        NOT NULL CHECK (name <> '' AND length(name) <= 200),
    role          text        NOT NULL CHECK (role IN ('vendor', 'admin', 'ops', 'channel')),
    vendor_id     uuid        REFERENCES catalog.vendors (id),
    password_hash text,
    status        text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    version       bigint      NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_vendor_role CHECK ((role = 'vendor') = (vendor_id IS NOT NULL)),
    CONSTRAINT accounts_have_mailbox CHECK (role = 'channel' OR email IS NOT NULL),
    CONSTRAINT accounts_password_needs_email CHECK (password_hash IS NULL OR email IS NOT NULL)
);
CREATE UNIQUE INDEX accounts_email ON catalog.accounts (lower(email));
CREATE INDEX accounts_of_vendor ON catalog.accounts (vendor_id) WHERE vendor_id IS NOT NULL;

-- `souk_<prefix>_<secret>`: found by the prefix, proved by SHA-256 of the secret, which has 256 random bits.
CREATE TABLE catalog.api_keys (
    id           uuid        PRIMARY KEY,
    account_id   uuid        NOT NULL REFERENCES catalog.accounts (id),
    name         text        NOT NULL CHECK (name <> '' AND length(name) <= 200),
    prefix       text        NOT NULL UNIQUE CHECK (prefix ~ '^[a-z0-9]{3,16}$'),
    secret_hash  bytea       NOT NULL CHECK (length(secret_hash) = 32),
    -- `read` lets the key do nothing but GET.
    scope        text        NOT NULL DEFAULT 'full' CHECK (scope IN ('full', 'read')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    -- Written at most every ten minutes.
    last_used_at timestamptz,
    expires_at   timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX api_keys_of_account ON catalog.api_keys (account_id, id);

CREATE TABLE catalog.sessions (
    id          uuid        PRIMARY KEY,
    account_id  uuid        NOT NULL REFERENCES catalog.accounts (id),
    token_hash  bytea       NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    csrf_token  text        NOT NULL CHECK (length(csrf_token) >= 32),
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);
CREATE INDEX sessions_of_account ON catalog.sessions (account_id);
CREATE INDEX sessions_expiry ON catalog.sessions (expires_at);

-- Who decided what. Written in the transaction of the decision; never changed.
CREATE TABLE catalog.audit (
    id          uuid        PRIMARY KEY, -- UUIDv7: the order of writing
    at          timestamptz NOT NULL DEFAULT now(),
    account_id  uuid        REFERENCES catalog.accounts (id), -- null: Souk itself
    role        text        NOT NULL,
    action      text        NOT NULL CHECK (action <> ''),
    object_kind text        NOT NULL CHECK (object_kind <> ''),
    object_id   text        NOT NULL,
    detail      jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object'),
    request_id  text
);
CREATE INDEX audit_of_object ON catalog.audit (object_kind, object_id, id);

CREATE FUNCTION catalog.audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'catalog.audit is append-only';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON catalog.audit
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.audit_is_append_only();

-- What an `Idempotency-Key` has made, written in the transaction that made it. Kept 24 hours.
CREATE TABLE catalog.idempotency_keys (
    account_id  uuid        NOT NULL REFERENCES catalog.accounts (id),
    key         text        NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    fingerprint bytea       NOT NULL CHECK (length(fingerprint) = 32),
    object_id   uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_keys_age ON catalog.idempotency_keys (created_at);

CREATE TABLE catalog.categories (
    slug     text    PRIMARY KEY CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    name     text    NOT NULL CHECK (name <> ''),
    position integer NOT NULL UNIQUE CHECK (position > 0)
);
INSERT INTO catalog.categories (slug, name, position) VALUES
    ('home-living', 'Home & Living', 1),
    ('kitchen', 'Kitchen & Dining', 2),
    ('lighting', 'Lighting', 3),
    ('furniture', 'Furniture', 4),
    ('textiles', 'Textiles', 5),
    ('ceramics', 'Ceramics', 6),
    ('fashion', 'Fashion', 7),
    ('jewellery', 'Jewellery', 8),
    ('electronics', 'Electronics', 9),
    ('books', 'Books & Paper', 10),
    ('toys', 'Toys & Games', 11),
    ('outdoor', 'Garden & Outdoor', 12);

-- The standard outbox and inbox (shared.db.outbox).
CREATE TABLE catalog.outbox (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL UNIQUE,
    type          text NOT NULL,
    body          text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    sent_at       timestamptz
);
CREATE INDEX outbox_unsent ON catalog.outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON catalog.outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE FUNCTION catalog.outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Equal notifications of one transaction are delivered once.
    PERFORM pg_notify('catalog_outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_notify AFTER INSERT ON catalog.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.outbox_notify();

CREATE TABLE catalog.inbox (
    message_id uuid PRIMARY KEY,
    seen_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_seen ON catalog.inbox (seen_at);
