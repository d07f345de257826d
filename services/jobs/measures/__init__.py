"""What the ledger tells of each hour, for the daily metrics."""
