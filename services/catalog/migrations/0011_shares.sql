-- migrate:up

-- What subjects have used up of the shares that all gateways count together: as the time at which a share is whole
-- again. Not logged, since a crash of the server may give everybody a whole share; so no request waits for the disk.
CREATE UNLOGGED TABLE catalog.shares (
    subject  text        NOT NULL CHECK (length(subject) <= 100),
    cost     text        NOT NULL,
    taken    integer     NOT NULL CHECK (taken >= 0),
    whole_at timestamptz NOT NULL,
    PRIMARY KEY (subject, cost)
);
CREATE INDEX shares_whole ON catalog.shares (whole_at);
