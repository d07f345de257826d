-- migrate:up

-- What a person knows a session by. `last_used_at` is written at most every ten minutes.
ALTER TABLE catalog.sessions
    ADD address      text NOT NULL DEFAULT '' CHECK (length(address) <= 100),
    ADD user_agent   text NOT NULL DEFAULT '' CHECK (length(user_agent) <= 300),
    ADD last_used_at timestamptz NOT NULL DEFAULT now();
DROP INDEX catalog.sessions_of_account;
CREATE INDEX sessions_of_account ON catalog.sessions (account_id, id);

-- Sign-ins that did not prove right, counted in the row of whatever they have in common. `what` is SHA-256 of an
-- account's address and where it was tried from, or of the latter alone.
CREATE TABLE catalog.sign_in_failures (
    what        bytea       PRIMARY KEY CHECK (length(what) = 32),
    failures    integer     NOT NULL CHECK (failures >= 0),
    waits_until timestamptz NOT NULL,
    last_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sign_in_failures_age ON catalog.sign_in_failures (last_at);
