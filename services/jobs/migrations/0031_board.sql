-- migrate:up
-- What the job board shows over time, and what a job led to.

CREATE TABLE jobs.activity (
    minute          timestamptz NOT NULL,
    type            text NOT NULL,
    shard           smallint NOT NULL,
    -- Jobs that ended.
    completed       integer NOT NULL,
    failed          integer NOT NULL,
    cancelled       integer NOT NULL,
    -- Attempts that failed and are made again.
    retried         integer NOT NULL,
    -- Jobs begun for the first time, and how long they had waited.
    begun           integer NOT NULL,
    waited_ms       bigint NOT NULL,
    longest_wait_ms bigint NOT NULL,
    -- Attempts that ended, and how long they ran.
    attempts        integer NOT NULL,
    ran_ms          bigint NOT NULL,
    longest_run_ms  bigint NOT NULL,
    PRIMARY KEY (minute, type, shard)
);
COMMENT ON TABLE jobs.activity IS 'What became of jobs, by minute and type; the sum over shards counts. Written in the transaction of each change, kept for two days.';

ALTER TABLE jobs.jobs ADD COLUMN parent uuid;
COMMENT ON COLUMN jobs.jobs.parent IS 'The job that led to this one: its handler told of what caused it, or a person made a changed copy of it.';
CREATE INDEX jobs_parent ON jobs.jobs (parent) WHERE parent IS NOT NULL;
