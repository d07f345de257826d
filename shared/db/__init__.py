"""PostgreSQL: pools, migrations, outbox, inbox, leases."""
