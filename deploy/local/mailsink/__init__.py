"""An SMTP sink with a mailbox page: what Souk mails on one machine ends here, where people and tests read it.

A mail is a file before its sender hears 250, so neither a restart nor a kill -9 loses one.
"""
