-- migrate:up

-- What was sold, line by line, from order.placed and order.cancelled: both carry the lines, so whichever comes first
-- brings them and the other changes nothing here.
CREATE TABLE reporting.order_lines (
    order_id   uuid        NOT NULL,
    line       integer     NOT NULL CHECK (line >= 1),
    vendor_id  uuid        NOT NULL,
    product_id uuid        NOT NULL,
    title      text        NOT NULL,
    quantity   integer     NOT NULL CHECK (quantity > 0),
    unit_minor bigint      NOT NULL CHECK (unit_minor >= 0),
    currency   text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    placed_at  timestamptz NOT NULL,
    PRIMARY KEY (order_id, line)
);
CREATE INDEX order_lines_placed_at ON reporting.order_lines (placed_at);
CREATE INDEX order_lines_of_vendor ON reporting.order_lines (vendor_id, placed_at);

CREATE TABLE reporting.cancellations (
    order_id     uuid        PRIMARY KEY,
    cancelled_at timestamptz NOT NULL
);

-- What else is counted, one row an event: its id is the key, so it counts once however often it comes.
CREATE TABLE reporting.facts (
    event_id    uuid        PRIMARY KEY,
    kind        text        NOT NULL CHECK (kind <> ''),
    happened_at timestamptz NOT NULL,
    vendor_id   uuid,
    subject_id  uuid        NOT NULL,
    label       text        NOT NULL
);
CREATE INDEX facts_happened_at ON reporting.facts (happened_at, kind);

-- The reports. `figures` is replaced as a whole, and only by younger ones.
CREATE TABLE reporting.reports (
    id           uuid        PRIMARY KEY,
    type         text        NOT NULL CHECK (type <> ''),
    vendor_id    uuid,
    period_from  date        NOT NULL,
    period_to    date        NOT NULL CHECK (period_to >= period_from),
    time_zone    text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('pending', 'ready', 'failed')),
    round        integer     NOT NULL CHECK (round >= 1),
    requested_at timestamptz NOT NULL,
    request_id   uuid,
    job_id       uuid,
    figures      jsonb,
    figures_at   timestamptz,
    error        text,
    UNIQUE NULLS NOT DISTINCT (type, vendor_id, period_from, period_to),
    CHECK (state <> 'ready' OR figures IS NOT NULL),
    CHECK ((figures IS NULL) = (figures_at IS NULL))
);
CREATE INDEX reports_of_vendor ON reporting.reports (vendor_id, id DESC);

-- The standard outbox and inbox (shared.db.outbox).
CREATE TABLE reporting.outbox (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL UNIQUE,
    type          text NOT NULL,
    body          text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    sent_at       timestamptz
);
CREATE INDEX outbox_unsent ON reporting.outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON reporting.outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE FUNCTION reporting.outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Equal notifications of one transaction are delivered once.
    PERFORM pg_notify('reporting_outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_notify AFTER INSERT ON reporting.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION reporting.outbox_notify();

CREATE TABLE reporting.inbox (
    message_id uuid PRIMARY KEY,
    seen_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_seen ON reporting.inbox (seen_at);
