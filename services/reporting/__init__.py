"""Reporting: what was sold and what happened, in pages. Owns its own figures and the reports (schema `reporting`).

Reads `order.placed`, `order.cancelled`, `product.submitted`, `product.approved`, `product.rejected`, `stock.low` and
`job.failed`, and the job `generate-report`; emits `report.requested` and `report.ready`.
"""
