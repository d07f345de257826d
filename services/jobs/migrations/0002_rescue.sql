-- migrate:up
-- What the ledger needs to know to find jobs that the broker or a worker lost.

ALTER TABLE jobs.jobs ADD COLUMN heard_at timestamptz;
COMMENT ON COLUMN jobs.jobs.heard_at IS 'When a worker last reported on it.';

CREATE INDEX jobs_out ON jobs.jobs (type, priority, published_at)
    WHERE published_at IS NOT NULL AND finished_at IS NULL;

CREATE TABLE jobs.workers (
    worker  text PRIMARY KEY,
    version text NOT NULL,
    types   text[] NOT NULL,
    held    uuid[] NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE jobs.probes (
    id          uuid PRIMARY KEY,
    type        text NOT NULL,
    priority    smallint NOT NULL,
    sent_at     timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz
);
CREATE INDEX probes_sent ON jobs.probes (type, priority, sent_at DESC);
COMMENT ON TABLE jobs.probes IS 'A probe that came back proves that what was published before it was delivered or is gone.';
