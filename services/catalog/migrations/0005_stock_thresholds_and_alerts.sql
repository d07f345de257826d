-- migrate:up

-- Where low begins for products whose vendor says nothing else. One row.
CREATE TABLE catalog.marketplace (
    is_only             boolean     PRIMARY KEY DEFAULT true CHECK (is_only),
    low_stock_threshold integer     NOT NULL DEFAULT 5 CHECK (low_stock_threshold >= 0),
    updated_at          timestamptz NOT NULL DEFAULT now()
);
INSERT INTO catalog.marketplace DEFAULT VALUES;

ALTER TABLE catalog.vendors
    -- Where low begins for this vendor's products; null: where the marketplace says.
    ADD low_stock_threshold integer CHECK (low_stock_threshold >= 0),
    -- When the vendor was last mailed a digest.
    ADD low_stock_told_at timestamptz;

-- A product's own threshold; null: its vendor's. Five was the only default there was.
ALTER TABLE catalog.stock ALTER threshold DROP NOT NULL, ALTER threshold DROP DEFAULT,
    -- When a digest last named the product.
    ADD alert_told_at timestamptz;
UPDATE catalog.stock SET threshold = NULL WHERE threshold = 5;
-- Alerts that are open were told by the check that opened them.
UPDATE catalog.stock SET alert_told_at = alert_opened_at WHERE alert_opened_at IS NOT NULL;

DROP INDEX catalog.stock_low;
CREATE INDEX stock_low ON catalog.stock (on_hand) WHERE alert_opened_at IS NULL;
CREATE INDEX stock_thresholds ON catalog.stock (threshold) WHERE threshold IS NOT NULL;
CREATE INDEX vendors_thresholds ON catalog.vendors (low_stock_threshold) WHERE low_stock_threshold IS NOT NULL;
CREATE INDEX stock_untold ON catalog.stock (alert_opened_at)
    WHERE alert_opened_at IS NOT NULL AND (alert_told_at IS NULL OR alert_told_at < alert_opened_at);

-- Movements go only with their product.
CREATE TRIGGER movements_are_kept BEFORE DELETE ON catalog.movements
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION catalog.movements_stay();

-- What became of adjustments that came with an `Idempotency-Key`, line by line. Kept as long as the key.
CREATE TABLE catalog.adjustments (
    id      uuid        PRIMARY KEY,
    results jsonb       NOT NULL CHECK (jsonb_typeof(results) = 'array'),
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX adjustments_age ON catalog.adjustments (at);

-- Which version of which stock source said so: no version of a source moves a product twice.
ALTER TABLE catalog.movements
    ADD source_id uuid,
    ADD source_version bigint,
    ADD CONSTRAINT movements_source CHECK ((kind = 'sync') = (source_id IS NOT NULL AND source_version IS NOT NULL));
CREATE UNIQUE INDEX movements_of_source ON catalog.movements (source_id, source_version, product_id)
    WHERE source_id IS NOT NULL;
