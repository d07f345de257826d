"""The jobs service: the durable ledger of all work.

Owns the schema `jobs`. Reads events (queue `events.dispatch`) and makes jobs of them by `policy.py`; reads the workers'
reports (queue `jobs.ledger`) and records them; publishes what is due. Emits `job.failed` and
`job.finished`. Two processes: `ledger`, which does all that, and `api`, which people and programs ask.
"""
