-- migrate:up

-- Since when a product waits for its decision; for others when it last did, or when it was made. Pictures that come in
-- meanwhile raise `updated_at`, not this.
ALTER TABLE catalog.products ADD submitted_at timestamptz NOT NULL DEFAULT now();
UPDATE catalog.products SET submitted_at = updated_at WHERE status = 'pending';
CREATE INDEX products_waiting ON catalog.products (submitted_at, id) WHERE status = 'pending';
CREATE INDEX proposals_waiting ON catalog.proposals (proposed_at, product_id) WHERE status = 'pending';
