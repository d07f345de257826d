-- migrate:up

-- Every event that was heard, as it was told: what all of reporting's other figures follow from, and can be made anew of.
CREATE TABLE reporting.events (
    seq  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id   uuid   NOT NULL UNIQUE,
    type text   NOT NULL,
    body text   NOT NULL
);

-- What is known of a product is what its youngest event tells of each thing, whichever order they come in: an approval
-- says nothing of pictures.
ALTER TABLE reporting.products
    ADD COLUMN title_version       integer NOT NULL DEFAULT 0,
    ADD COLUMN pictures_version    integer NOT NULL DEFAULT 0,
    ADD COLUMN description_version integer NOT NULL DEFAULT 0;
UPDATE reporting.products
SET title_version = version, pictures_version = version, description_version = version;

-- The name that a vendor's product came with counts until the vendor itself tells one.
ALTER TABLE reporting.vendors ADD COLUMN named_at timestamptz NOT NULL DEFAULT 'epoch';
