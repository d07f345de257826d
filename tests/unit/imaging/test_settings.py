"""What imaging's settings mean."""

import pytest

from services.imaging.settings import Settings


def test_the_environment_lists_what_may_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUK_AMQP_URL", "amqp://imaging:secret@127.0.0.1/souk")
    monkeypatch.setenv("SOUK_BLOBS_URL", "memory:///")
    monkeypatch.setenv("SOUK_OUTBOUND_ALLOW", '["127.0.0.1:8443"]')
    assert Settings.read().outbound_allow == ("127.0.0.1:8443",)
