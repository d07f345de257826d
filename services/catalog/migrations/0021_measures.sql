-- migrate:up

-- The hours of which `measures.recorded` has told (shared.db.measures).
CREATE TABLE catalog.measured (
    hour timestamptz PRIMARY KEY
);

-- What gateways saw and did within an hour, added up as they tell it: how often, the sum of the values, the least.
CREATE TABLE catalog.samples (
    hour  timestamptz NOT NULL,
    name  text        NOT NULL CHECK (name <> ''),
    label text        NOT NULL,
    count bigint      NOT NULL CHECK (count >= 0),
    total bigint      NOT NULL,
    least bigint      NOT NULL,
    most  bigint      NOT NULL,
    PRIMARY KEY (hour, name, label)
);
