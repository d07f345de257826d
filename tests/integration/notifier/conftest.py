"""Fixtures of the notifier's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.notifier.smtp_sink import Sink, serving


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A mail server without TLS and sign-in that takes everything."""
    async with serving(Sink()) as running:
        yield running
