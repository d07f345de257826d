"""Accounts: who may sign in, sessions, API keys, and the contacts that the notifier asks for."""
