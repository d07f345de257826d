-- migrate:up
-- How far the attempts have come that a worker holds: beside what it holds, so that no job's row is written for it.

ALTER TABLE jobs.workers ADD COLUMN progress double precision[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN jobs.workers.progress IS '0 to 1 for each of `held`, null where the handler does not tell.';
