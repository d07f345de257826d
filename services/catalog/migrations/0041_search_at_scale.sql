-- migrate:up

-- A search is of titles and SKUs: without this one of the two is looked for in every row.
CREATE INDEX products_sku_letters ON catalog.products USING gin (sku public.gin_trgm_ops) WHERE status = 'approved';
-- A category by price, without reading all other categories' cheaper products first.
CREATE INDEX products_of_category_cheapest ON catalog.products (category, price_minor, id) WHERE status = 'approved';
