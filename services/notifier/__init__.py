"""Notifier: tells people. Owns the letters, who got which, and the in-app inbox (schema `notifier`).

Reads the jobs `send-email` and `send-notification` and the event `account.changed`; looks people up at the
catalog's internal contacts when it sends; emits `notification.created`.
"""
