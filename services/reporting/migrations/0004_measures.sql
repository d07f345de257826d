-- migrate:up

-- What services say of each of their hours (`measures.recorded`); (service, hour) is told by one event.
CREATE TABLE reporting.measures (
    service text        NOT NULL,
    hour    timestamptz NOT NULL,
    name    text        NOT NULL,
    label   text        NOT NULL,
    count   bigint      NOT NULL CHECK (count >= 0),
    total   bigint      NOT NULL,
    least   bigint      NOT NULL,
    most    bigint      NOT NULL,
    PRIMARY KEY (hour, service, name, label)
);

-- Which hours were told of, also those in which a service did nothing.
CREATE TABLE reporting.hours_told (
    service text        NOT NULL,
    hour    timestamptz NOT NULL,
    PRIMARY KEY (service, hour)
);

-- Whether sales changed after the figures were taken. Only then is a report revised that is made anew: the measures of
-- a day's last hour come after midnight, and complete it.
ALTER TABLE reporting.reports ADD COLUMN is_late boolean NOT NULL DEFAULT false;
UPDATE reporting.reports SET is_late = changes > 0 AND figures IS NOT NULL;
