-- migrate:up

-- What is known of each entry of the schedule file. Every slot up to `settled_until` was emitted or given up; it only
-- rises, so a slot that was decided is never looked at again.
CREATE TABLE scheduler.entries (
    name          text        PRIMARY KEY CHECK (name <> ''),
    settled_until timestamptz NOT NULL,
    is_paused     boolean     NOT NULL DEFAULT false,
    changed_at    timestamptz NOT NULL,
    changed_by    uuid
);

-- Each time an entry was due, written with its `schedule.due` event. The key is what makes a slot unique, whatever
-- the number of schedulers.
CREATE TABLE scheduler.ticks (
    entry      text        NOT NULL REFERENCES scheduler.entries (name),
    due_at     timestamptz NOT NULL,
    event_id   uuid        NOT NULL UNIQUE,
    cause      text        NOT NULL CHECK (cause IN ('slot', 'catch_up', 'manual')),
    account_id uuid,
    emitted_at timestamptz NOT NULL,
    PRIMARY KEY (entry, due_at)
);
CREATE INDEX ticks_emitted_at ON scheduler.ticks (emitted_at);

-- The standard outbox and inbox (shared.db.outbox).
CREATE TABLE scheduler.outbox (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL UNIQUE,
    type          text NOT NULL,
    body          text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    sent_at       timestamptz
);
CREATE INDEX outbox_unsent ON scheduler.outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON scheduler.outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE FUNCTION scheduler.outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Equal notifications of one transaction are delivered once.
    PERFORM pg_notify('scheduler_outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_notify AFTER INSERT ON scheduler.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION scheduler.outbox_notify();

CREATE TABLE scheduler.inbox (
    message_id uuid PRIMARY KEY,
    seen_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_seen ON scheduler.inbox (seen_at);
