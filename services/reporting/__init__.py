"""Reporting: what was sold and what happened, in pages. Owns its own figures and the reports (schema `reporting`).

Reads `order.*`, `product.*`, `stock.*`, `vendor.changed`, `job.failed` and `measures.recorded`, and the job
`generate-report`; emits `report.requested`, `report.ready` and `report.failed`.
"""
