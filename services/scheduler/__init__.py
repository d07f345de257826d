"""Scheduler: says when timed work is due. Owns which slots were emitted and what is paused (schema `scheduler`).

Reads `deploy/schedule.toml` and `job.finished`; emits `schedule.due`, once for each slot of each entry, however many
schedulers run.
"""
