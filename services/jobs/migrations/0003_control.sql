-- migrate:up
-- What operators tell the workers: kept here, published to the stream jobs.control, published again when that is lost.

CREATE TABLE jobs.controls (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('pause', 'resume', 'cancel')),
    job_type     text,
    job_id       uuid,
    fence        integer NOT NULL DEFAULT 0,
    issued_at    timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    CHECK ((kind = 'cancel') = (job_id IS NOT NULL) AND (kind <> 'cancel') = (job_type IS NOT NULL))
);
CREATE INDEX controls_unpublished ON jobs.controls (seq) WHERE published_at IS NULL;

CREATE TABLE jobs.paused_types (
    type   text PRIMARY KEY,
    since  timestamptz NOT NULL DEFAULT now(),
    actor  text NOT NULL
);
