-- migrate:up

-- Who got the mail of which job. The guard of `send-email`: a row `sent` is never sent again. Kept 35 days,
-- longer than a failed job can be retried. No addresses here: an account's address may change or be erased.
CREATE TABLE notifier.deliveries (
    job_id      uuid        NOT NULL,
    account_id  uuid        NOT NULL,
    message_id  text        NOT NULL,
    outcome     text        NOT NULL CHECK (outcome IN ('sent', 'refused')),
    answer      text        NOT NULL,
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (job_id, account_id)
);
CREATE INDEX deliveries_answered_at ON notifier.deliveries (answered_at);

-- The in-app inbox: one row per audience, a vendor or (null) the marketplace's admins.
CREATE TABLE notifier.notifications (
    id          uuid        PRIMARY KEY,
    vendor_id   uuid,
    kind        text        NOT NULL CHECK (kind <> ''),
    params      jsonb       NOT NULL CHECK (jsonb_typeof(params) = 'object'),
    dedupe_key  text        NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL
);
CREATE INDEX notifications_of_vendor ON notifier.notifications (vendor_id, id DESC) WHERE vendor_id IS NOT NULL;
CREATE INDEX notifications_of_admins ON notifier.notifications (id DESC) WHERE vendor_id IS NULL;

-- Who has read what: two people of one shop each keep their own unread mark.
CREATE TABLE notifier.notification_reads (
    notification_id uuid        NOT NULL REFERENCES notifier.notifications (id) ON DELETE CASCADE,
    account_id      uuid        NOT NULL,
    read_at         timestamptz NOT NULL,
    PRIMARY KEY (notification_id, account_id)
);

-- The standard outbox and inbox (shared.db.outbox).
CREATE TABLE notifier.outbox (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL UNIQUE,
    type          text NOT NULL,
    body          text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    sent_at       timestamptz
);
CREATE INDEX outbox_unsent ON notifier.outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON notifier.outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE FUNCTION notifier.outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Equal notifications of one transaction are delivered once.
    PERFORM pg_notify('notifier_outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_notify AFTER INSERT ON notifier.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION notifier.outbox_notify();

CREATE TABLE notifier.inbox (
    message_id uuid PRIMARY KEY,
    seen_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_seen ON notifier.inbox (seen_at);
