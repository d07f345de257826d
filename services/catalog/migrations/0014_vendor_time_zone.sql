-- migrate:up

-- Where a vendor's days begin, for its reports; an IANA name, null for the marketplace's own.
ALTER TABLE catalog.vendors ADD time_zone text CHECK (time_zone <> '');
