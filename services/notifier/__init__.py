"""Notifier: tells people. Owns the letters, who got which, the in-app inbox, and what each person wants of both
(schema `notifier`).

Tells browsers by web push, encrypted for each, signed with the key `SOUK_VAPID_PRIVATE_KEY`.

Reads the jobs `send-email` and `send-notification` and the event `account.changed`; looks people up at the
catalog's internal contacts when it sends; emits `notification.created`; answers `/api/notifications`,
`/api/notification-preferences` and `/api/push-subscriptions` behind the gateway.

A mail is sent at least once: the server's answer and the row that remembers it can't be written together. Where the
answer was lost (`souk_mails_total{outcome="answer_lost"}`) or the process was killed right after it, the next attempt
sends that one mail again, with the same Message-ID.
"""
