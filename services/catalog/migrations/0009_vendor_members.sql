-- migrate:up

-- Several people may act for a vendor; its owners say who. Whoever was there first is one.
ALTER TABLE catalog.accounts ADD is_owner boolean NOT NULL DEFAULT false;
UPDATE catalog.accounts SET is_owner = true WHERE role = 'vendor';
ALTER TABLE catalog.accounts
    ADD CONSTRAINT accounts_owners_are_vendors CHECK (NOT is_owner OR role = 'vendor'),
    -- A password that an owner handed out: good for one thing, choosing another, and until then only.
    ADD one_time_until timestamptz;

-- Who was removed may come again, there or elsewhere.
DROP INDEX catalog.accounts_email;
CREATE UNIQUE INDEX accounts_email ON catalog.accounts (lower(email)) WHERE status = 'active';
