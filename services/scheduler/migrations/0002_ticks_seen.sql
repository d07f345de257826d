-- migrate:up

-- Whether the schedule file has the entry and switches it on, as the scheduler that started last has read it. An entry
-- that comes back begins anew: no slot of the time between is made up for.
ALTER TABLE scheduler.entries ADD COLUMN in_force boolean NOT NULL DEFAULT true;

-- What the ledger said of a tick (`job.finished`); null until it has. A slot that was skipped has no job.
ALTER TABLE scheduler.ticks
    ADD COLUMN job_id     uuid,
    ADD COLUMN outcome    text CHECK (outcome IN ('queued', 'started', 'skipped', 'completed', 'failed', 'cancelled')),
    ADD COLUMN outcome_at timestamptz,
    ADD CHECK ((outcome IS NULL) = (outcome_at IS NULL));

-- What people did with the schedule, written in the transaction that did it.
CREATE TABLE scheduler.audit (
    id         uuid        PRIMARY KEY, -- UUIDv7: the order of writing
    at         timestamptz NOT NULL DEFAULT now(),
    account_id uuid        NOT NULL,
    role       text        NOT NULL,
    action     text        NOT NULL CHECK (action IN ('schedule.run', 'schedule.pause', 'schedule.resume')),
    entry      text        NOT NULL,
    detail     jsonb       NOT NULL DEFAULT '{}',
    request_id text
);
CREATE INDEX audit_of_entry ON scheduler.audit (entry, id);

CREATE FUNCTION scheduler.audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'scheduler.audit is append-only';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON scheduler.audit
    FOR EACH STATEMENT EXECUTE FUNCTION scheduler.audit_is_append_only();
