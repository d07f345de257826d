"""What could not be done or understood: read from the broker's dead queues into a table, listed, replayed, purged."""
