-- migrate:up

-- What the vendor of an approved product would have instead: at most one proposal per product, null where nothing is to
-- change. Approved or withdrawn ones are gone (the audit log knows them), a rejected one stays to be mended. `id` is
-- new with each time it is put to the admins; `revision` counts the changes since.
CREATE TABLE catalog.proposals (
    product_id  uuid        PRIMARY KEY REFERENCES catalog.products (id) ON DELETE CASCADE,
    id          uuid        NOT NULL UNIQUE,
    status      text        NOT NULL CHECK (status IN ('pending', 'rejected')),
    title       text        CHECK (title <> '' AND length(title) <= 200),
    description text        CHECK (length(description) <= 20000),
    category    text        REFERENCES catalog.categories (slug),
    attributes  jsonb       CHECK (jsonb_typeof(attributes) = 'object'),
    reasons     jsonb       NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(reasons) = 'array'),
    revision    integer     NOT NULL DEFAULT 1 CHECK (revision > 0),
    proposed_at timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'rejected') = (jsonb_array_length(reasons) > 0))
);
CREATE INDEX proposals_pending ON catalog.proposals (id DESC) WHERE status = 'pending';

-- A picture that would come or go with the proposal: shown to vendor and admins, not yet (or still) to the public.
ALTER TABLE catalog.images ADD proposed text CHECK (proposed IN ('add', 'remove'));
