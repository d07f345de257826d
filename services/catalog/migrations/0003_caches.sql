-- migrate:up

-- The gateway replicas: each says every few seconds that it lives and what its caches did.
CREATE TABLE catalog.cache_replicas (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL CHECK (name <> ''),
    -- Whether it hears the stream of events; else it checks each hit against the row's version.
    is_live    boolean     NOT NULL,
    caches     jsonb       NOT NULL CHECK (jsonb_typeof(caches) = 'object'),
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);

-- What a replica did for a request: entries removed, by cache. The name stays when the replica is gone.
CREATE TABLE catalog.cache_clear_answers (
    request_id  uuid        NOT NULL REFERENCES catalog.cache_clear_requests (id) ON DELETE CASCADE,
    replica_id  uuid        NOT NULL,
    name        text        NOT NULL,
    removed     jsonb       NOT NULL CHECK (jsonb_typeof(removed) = 'object'),
    answered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (request_id, replica_id)
);
CREATE INDEX cache_clear_requests_age ON catalog.cache_clear_requests (requested_at);

-- The id of the first message of `events.stream`, kept for readers that come when retention has dropped it.
CREATE TABLE catalog.stream_epochs (
    epoch      text        PRIMARY KEY CHECK (epoch <> ''),
    seq        bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    written_at timestamptz NOT NULL DEFAULT now()
);
