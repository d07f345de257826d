-- migrate:up
-- The hours of which `measures.recorded` has told (shared.db.measures).

CREATE TABLE jobs.measured (
    hour timestamptz PRIMARY KEY
);
