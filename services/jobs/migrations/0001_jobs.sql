-- migrate:up
-- The ledger: every job, what became of it, and the counts of each state.

CREATE TABLE jobs.outbox (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL UNIQUE,
    type          text NOT NULL,
    body          text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    sent_at       timestamptz
);
CREATE INDEX outbox_unsent ON jobs.outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON jobs.outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE FUNCTION jobs.outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Equal notifications of one transaction are delivered once.
    PERFORM pg_notify('jobs_outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_notify AFTER INSERT ON jobs.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION jobs.outbox_notify();

CREATE TABLE jobs.inbox (
    message_id uuid PRIMARY KEY,
    seen_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_seen ON jobs.inbox (seen_at);

CREATE TABLE jobs.jobs (
    id            uuid NOT NULL,
    type          text NOT NULL,
    priority      smallint NOT NULL CHECK (priority BETWEEN 1 AND 5),
    state         text NOT NULL CHECK (state IN (
                      'scheduled', 'pending', 'processing', 'retrying', 'completed', 'failed', 'cancelled')),
    attempt       integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    max_attempts  integer NOT NULL CHECK (max_attempts >= 1),
    timeout_ms    integer NOT NULL CHECK (timeout_ms >= 1),
    fence         integer NOT NULL DEFAULT 1 CHECK (fence >= 1),
    payload       jsonb NOT NULL,
    target        text NOT NULL,
    cause         uuid,
    cause_type    text,
    caused_at     timestamptz NOT NULL,
    vendor_id     uuid,
    traceparent   text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    -- When the ledger is to publish it; null is at once.
    run_at        timestamptz,
    claimed_until timestamptz,
    published_at  timestamptz,
    started_at    timestamptz,
    finished_at   timestamptz,
    run_ms        integer,
    retry_at      timestamptz,
    result        jsonb,
    error_class   text,
    error_message text,
    PRIMARY KEY (id),
    CHECK ((state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
) PARTITION BY RANGE (id);
COMMENT ON TABLE jobs.jobs IS 'Partitioned by the day in the id (UUIDv7): the key is unique over all days, and days are dropped whole.';

CREATE INDEX jobs_to_publish ON jobs.jobs (coalesce(run_at, created_at))
    WHERE published_at IS NULL AND state IN ('scheduled', 'pending', 'retrying');
CREATE INDEX jobs_finished ON jobs.jobs (state, finished_at DESC) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_open_target ON jobs.jobs (type, target) WHERE finished_at IS NULL;
CREATE INDEX jobs_cause ON jobs.jobs (cause) WHERE cause IS NOT NULL;
CREATE INDEX jobs_vendor ON jobs.jobs (vendor_id, id) WHERE vendor_id IS NOT NULL;

CREATE TABLE jobs.history (
    job_id        uuid NOT NULL,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The state the job was left in; an attempt of a superseded fence leaves it as it was.
    state         text NOT NULL,
    outcome       text NOT NULL,
    attempt       integer,
    fence         integer,
    worker        text,
    started_at    timestamptz,
    run_ms        integer,
    error_class   text,
    error_message text,
    retry_at      timestamptz,
    actor         text
) PARTITION BY RANGE (job_id);
CREATE INDEX history_job ON jobs.history (job_id, at);

CREATE TABLE jobs.counters (
    type  text NOT NULL,
    state text NOT NULL,
    shard smallint NOT NULL,
    n     bigint NOT NULL,
    PRIMARY KEY (type, state, shard)
);
COMMENT ON TABLE jobs.counters IS 'Jobs kept, by type and state; the sum over shards counts. Written in the transaction of each change.';

CREATE TABLE jobs.tombstones (
    job_id uuid PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE jobs.tombstones IS 'Jobs pruned in the last 48 hours: their late events and reports make nothing anew.';

CREATE TABLE jobs.audit (
    id         uuid PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    account_id uuid NOT NULL,
    role       text NOT NULL,
    action     text NOT NULL,
    job_id     uuid,
    detail     jsonb NOT NULL,
    request_id text
);
