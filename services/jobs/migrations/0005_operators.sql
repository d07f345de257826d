-- migrate:up
-- What operators look at and do: dead letters, an audit log that names its objects, lists that find what is rare.

CREATE TABLE jobs.dead_letters (
    -- Drawn when it was stored: the list's order.
    id         uuid PRIMARY KEY,
    -- SHA-256 of the message and where it died: the same delivery stored twice is one row.
    digest     bytea NOT NULL UNIQUE,
    -- The queue it was parked from: jobs.send-email, events.dispatch, jobs.ledger.
    queue      text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('job', 'event', 'report')),
    type       text,
    message_id text,
    -- Of a job whose envelope could be read.
    job_id     uuid CHECK (job_id IS NULL OR kind = 'job'),
    attempt    integer,
    reason     text NOT NULL,
    parked_by  text NOT NULL CHECK (parked_by IN ('consumer', 'broker')),
    -- Deliveries that were the same to the byte.
    copies     integer NOT NULL DEFAULT 1,
    stored_at  timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),
    properties jsonb NOT NULL,
    body       bytea NOT NULL,
    -- An operator wants it back in its queue; the ledger process puts it there.
    replay_at  timestamptz
);
CREATE INDEX dead_letters_type ON jobs.dead_letters (type, id);
CREATE INDEX dead_letters_job ON jobs.dead_letters (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX dead_letters_unowned ON jobs.dead_letters (id) WHERE job_id IS NULL;
CREATE INDEX dead_letters_replay ON jobs.dead_letters (replay_at) WHERE replay_at IS NOT NULL;

ALTER TABLE jobs.audit ADD COLUMN object_kind text NOT NULL DEFAULT 'jobs', ADD COLUMN object_id text NOT NULL DEFAULT '';
UPDATE jobs.audit SET object_kind = 'job', object_id = job_id::text WHERE job_id IS NOT NULL;
UPDATE jobs.audit SET object_kind = 'job_type', object_id = detail ->> 'type' WHERE action LIKE 'job_type.%';
ALTER TABLE jobs.audit DROP COLUMN job_id;
CREATE INDEX audit_object ON jobs.audit (object_kind, object_id, id);

-- A list with a filter looks here, once for each type, state and priority that the filter lets in. `uuid_send` orders as
-- the id does, and keeps the planner from walking the primary key instead.
CREATE INDEX jobs_listed ON jobs.jobs (type, state, priority, uuid_send(id));
-- Only jobs that failed at least once are in it.
CREATE INDEX jobs_error ON jobs.jobs USING gin ((error_class || ': ' || coalesce(error_message, '')) gin_trgm_ops)
    WHERE error_class IS NOT NULL;
