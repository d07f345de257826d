-- migrate:up

-- What a person wants of each kind of message; all of it where there is no row. `vendor_id` is whose inbox they
-- share, null for the marketplace's, so that writing a line needs no look at the catalog.
CREATE TABLE notifier.preferences (
    account_id uuid        NOT NULL,
    kind       text        NOT NULL CHECK (kind <> ''),
    vendor_id  uuid,
    in_app     boolean     NOT NULL,
    email      boolean     NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, kind)
);
CREATE INDEX preferences_without_lines ON notifier.preferences (kind, vendor_id) WHERE NOT in_app;

-- Everything up to a line counts as read: reading all of a long inbox is one row, and counting stays short.
CREATE TABLE notifier.inbox_marks (
    account_id uuid        PRIMARY KEY,
    read_up_to uuid        NOT NULL,
    read_at    timestamptz NOT NULL
);

-- Who wanted no such lines when this one was written: it stays hidden from them whatever they choose later.
ALTER TABLE notifier.notifications ADD COLUMN hidden_from uuid[] NOT NULL DEFAULT '{}';
