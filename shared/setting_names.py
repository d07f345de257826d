"""Every name that begins with `SOUK_`, whoever reads it, so that a misspelt one is told from another process's.

One process knows its own settings only, but the same variables are often given to all. A test holds this list to the
settings classes (`tests/unit/deploy/cli/test_configuration.py` says what is missing).
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Final

_PLAIN: Final = """
    ANNOUNCE_SECONDS BLOBS_URL CATALOG_URL COMPLETED_DAYS CONTACTS_SECONDS CORS_ORIGINS DELIVERY_DAYS FAILED_DAYS
    GATEWAY_URL GRACE_SECONDS HOME HTTP_HOST HTTP_PORT JOBS_URL LIMIT_AUTH_PER_MINUTE LIMIT_CACHED_PER_MINUTE
    LIMIT_READ_PER_MINUTE LIMIT_REPORT_PER_MINUTE LIMIT_SEARCH_PER_MINUTE LIMIT_UPLOAD_PER_MINUTE LIMIT_WRITE_PER_MINUTE
    LOG_FORMAT LOG_LEVEL MAIL_FROM MAIL_SEARCH_URL MANAGEMENT_PAGES_URL NOTIFICATION_DAYS NOTIFIER_URL OPS_HOST OPS_PORT
    OTLP_ENDPOINT OUTBOUND_ALLOW
    PICTURE_PATIENCE_SECONDS PROBE_SECONDS PUBLIC_URL READY_SECONDS RENDER_WORKERS REPORTING_URL RETRY_TIERS
    SCHEDULER_URL SCHEDULE_FILE SILENCE_SECONDS SMTP_HOST SMTP_PORT SMTP_TIMEOUT_SECONDS SMTP_TLS SMTP_USER STATE_DIR
    TIME_ZONE TRUSTED_PROXIES
"""
_KEPT_CLOSE: Final = """
    AMQP_URL API_KEY CATALOG_DATABASE_URL CATALOG_KEY DATABASE_URL JOBS_DATABASE_URL JOBS_KEY MANAGEMENT_URL
    NOTIFIER_DATABASE_URL NOTIFIER_KEY REPORTING_DATABASE_URL REPORTING_KEY SCHEDULER_DATABASE_URL SCHEDULER_KEY
    SMTP_PASSWORD SYNC_KEY VAPID_PRIVATE_KEY
"""
KNOWN: Final = frozenset(
    [f"SOUK_{name}" for name in (_PLAIN + _KEPT_CLOSE).split()] + [f"SOUK_{name}_FILE" for name in _KEPT_CLOSE.split()]
)
_NOT_OURS: Final = re.compile(
    r"SOUK_TEST_\w+=.*"
    r"|SOUK_\w*(_SERVICE_HOST|_SERVICE_PORT(_\w+)?|_PORT_\d+_(TCP|UDP)(_\w+)?)=.*"
    r"|SOUK_\w*_PORT=(tcp|udp)://.*"
)
"""The tests' own, and what Kubernetes puts into every container for a service whose name begins with `souk`."""


def unknown(given: Mapping[str, str], own: Iterable[str]) -> dict[str, str | None]:
    """The names that nobody reads, each with the name that was probably meant."""
    names = KNOWN | set(own)
    strange = (name for name in given if name.startswith("SOUK_") and name not in names)
    return {
        name: _meant(name, names) for name in sorted(strange) if _NOT_OURS.fullmatch(f"{name}={given[name]}") is None
    }


def _meant(name: str, names: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(name.upper(), sorted(names), n=1, cutoff=0.75)
    return close[0] if close else None
