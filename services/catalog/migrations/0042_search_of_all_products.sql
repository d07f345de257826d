-- migrate:up

-- Administrators search products of every status. Most are approved, so one index serves them and the shop.
CREATE INDEX products_title_of_all ON catalog.products USING gin (title public.gin_trgm_ops);
CREATE INDEX products_sku_of_all ON catalog.products USING gin (sku public.gin_trgm_ops);
DROP INDEX catalog.products_title;
DROP INDEX catalog.products_sku_letters;
