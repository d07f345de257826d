"""Catalog: the HTTP gateway, and vendors, accounts, products, pictures, stock, orders (schema `catalog`).

Three processes: the gateway answers all public HTTP and passes on what other services own; the relay publishes the
outbox; the worker reads `image.processed` and `job.failed` and the jobs `check-low-stock` and `cleanup-cache`. Emits
every event but those that name another writer.
"""
