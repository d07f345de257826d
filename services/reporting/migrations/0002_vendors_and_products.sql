-- migrate:up

-- What vendors are called and where their days begin, as last heard; `told_at` is the time of that event.
CREATE TABLE reporting.vendors (
    id        uuid        PRIMARY KEY,
    name      text        NOT NULL,
    time_zone text,
    told_at   timestamptz NOT NULL
);

-- Every product as last heard of. `version` only rises; an older event changes nothing that is known.
CREATE TABLE reporting.products (
    id                uuid    PRIMARY KEY,
    vendor_id         uuid    NOT NULL,
    version           integer NOT NULL,
    status            text    NOT NULL,
    title             text    NOT NULL,
    pictures          integer CHECK (pictures >= 0),
    description_chars integer CHECK (description_chars >= 0)
);
CREATE INDEX products_of_vendor ON reporting.products (vendor_id);

-- From a decision or a recovery to what came before it of the same product.
CREATE INDEX facts_of_subject ON reporting.facts (subject_id, happened_at) WHERE kind <> 'job.failed';

-- Late events: `changes` counts those of a report's days, `counted` how many of them its figures know; `revisions` how
-- often figures were replaced because of them. `is_due`: nobody asked for it, its day was over.
ALTER TABLE reporting.reports
    ADD COLUMN changes   bigint  NOT NULL DEFAULT 0,
    ADD COLUMN counted   bigint  NOT NULL DEFAULT 0,
    ADD COLUMN revisions integer NOT NULL DEFAULT 0,
    ADD COLUMN is_due    boolean NOT NULL DEFAULT false;
CREATE INDEX reports_by_end ON reporting.reports (period_to);
CREATE INDEX reports_to_revise ON reporting.reports (id) WHERE changes > counted;
