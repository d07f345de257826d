-- migrate:up

-- How far the building of a report is that somebody waits for, 0 to 1; and one that nobody waits for any more.
ALTER TABLE reporting.reports
    ADD COLUMN progress double precision CHECK (progress BETWEEN 0 AND 1),
    DROP CONSTRAINT reports_state_check,
    ADD CONSTRAINT reports_state_check CHECK (state IN ('pending', 'ready', 'failed', 'cancelled'));
