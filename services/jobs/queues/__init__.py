"""The broker's queues as operators see them: the broker's own figures, beside the ledger's knowledge of what waits."""
