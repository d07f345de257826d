"""What the gateway's settings mean."""

import pytest

from services.catalog.settings import GatewaySettings

KEY = "k" * 40
NEEDED = {
    "amqp_url": "amqp://souk:secret@127.0.0.1/souk",
    "catalog_database_url": "postgresql://127.0.0.1/souk",
    "blobs_url": "memory:///",
    "catalog_key": KEY,
    "sync_key": KEY,
    **{f"{service}_url": "http://127.0.0.1:1" for service in ("jobs", "notifier", "reporting", "scheduler")},
    **{f"{service}_key": KEY for service in ("jobs", "notifier", "reporting", "scheduler")},
}


@pytest.mark.parametrize(
    ("public_url", "is_secure"),
    [
        ("http://127.0.0.1:8080", False),
        ("http://localhost:8080", False),
        ("http://[::1]:8080", False),
        ("https://127.0.0.1", True),
        ("https://souk.example.com", True),
        ("http://souk.example.com", True),
        ("http://localhost.example.com", True),
    ],
)
def test_the_session_cookie_needs_https_but_on_this_machine(public_url: str, is_secure: bool) -> None:
    assert GatewaySettings.model_validate(NEEDED | {"public_url": public_url}).is_cookie_secure is is_secure
