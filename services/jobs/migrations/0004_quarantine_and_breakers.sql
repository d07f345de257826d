-- migrate:up
-- Jobs that may kill their worker, types whose dependency is away, and what workers are told of both.

ALTER TABLE jobs.controls DROP CONSTRAINT controls_kind_check, DROP CONSTRAINT controls_check;
ALTER TABLE jobs.controls
    ADD COLUMN worker text,
    ADD COLUMN cause uuid,
    ADD CONSTRAINT controls_names_what_it_is_about CHECK (
        CASE WHEN kind IN ('pause', 'resume', 'mend') THEN job_type IS NOT NULL AND job_id IS NULL
             WHEN kind = 'break' THEN job_type IS NOT NULL AND job_id IS NULL AND worker IS NOT NULL
             WHEN kind IN ('cancel', 'superseded', 'suspect', 'park') THEN job_id IS NOT NULL AND job_type IS NULL
             ELSE false END);

CREATE TABLE jobs.suspects (
    job_id  uuid PRIMARY KEY,
    -- Worker processes that ended while they ran this job and nothing else.
    crashes integer NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX suspects_at ON jobs.suspects (at);

CREATE TABLE jobs.breakers (
    type          text PRIMARY KEY,
    is_open       boolean NOT NULL,
    -- Who takes one job now and then, to see whether the dependency is back.
    worker        text NOT NULL,
    since         timestamptz NOT NULL,
    -- The moment the newest word about it is from.
    told_at       timestamptz NOT NULL,
    error_class   text,
    error_message text
);

CREATE TABLE jobs.type_history (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type   text NOT NULL,
    at     timestamptz NOT NULL DEFAULT now(),
    what   text NOT NULL CHECK (what IN ('paused', 'resumed', 'breaker_opened', 'breaker_closed', 'breaker_handed_over')),
    -- A person's account or a worker.
    actor  text NOT NULL,
    detail text
);
CREATE INDEX type_history_type ON jobs.type_history (type, id DESC);
COMMENT ON TABLE jobs.type_history IS 'When nobody worked on a type, and why.';
