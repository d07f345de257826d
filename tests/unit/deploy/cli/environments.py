"""Environments that a process starts with."""

from deploy.configuration import PROCESSES
from shared.setting import Setting, described

KEY = "k" * 40
VALUES = {
    "SOUK_AMQP_URL": "amqp://user:secret@127.0.0.1:9/souk",
    "SOUK_BLOBS_URL": "memory:///",
    "SOUK_MAIL_FROM": "Souk <souk@example.com>",
    "SOUK_MAIL_SEARCH_URL": "http://127.0.0.1:9/?q={job}",
    "SOUK_MANAGEMENT_URL": "http://monitor:secret@127.0.0.1:9",
    "SOUK_OUTBOUND_ALLOW": "[]",
    "SOUK_PUBLIC_URL": "https://souk.example.com",
    "SOUK_RETRY_TIERS": "1s,2s",
    "SOUK_SCHEDULE_FILE": "deploy/schedule.toml",
    "SOUK_SMTP_HOST": "127.0.0.1",
    "SOUK_SMTP_PORT": "1025",
    "SOUK_SMTP_TLS": "none",
    "SOUK_SYNC_KEY": KEY,
    "SOUK_TIME_ZONE": "UTC",
    "SOUK_VAPID_PRIVATE_KEY": "k" * 43,
}


def complete(process: str) -> dict[str, str]:
    """The least a process can be given."""
    needed = (setting for setting in described(PROCESSES[process]).values() if setting.default is None)
    return {setting.name: value_of(setting) for setting in needed}


def value_of(setting: Setting) -> str:
    """A value that fits."""
    if setting.name.endswith("_DATABASE_URL"):
        return "postgresql://user:secret@127.0.0.1:9/souk"
    if setting.name.endswith("_KEY"):
        return VALUES.get(setting.name, KEY)
    return VALUES.get(setting.name, "http://127.0.0.1:9")
