"""Frames of a delivery are read as pamqp reads them, and a stranger's more kindly."""

from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pamqp import frame
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from shared.messaging.frames import read_content_header, read_deliver

AT = 7  # where a frame's payload begins
on_a_slow_machine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

names = st.text("abc-._", max_size=120)
some_text = st.none() | st.text("abc-.é", min_size=1, max_size=60)
values = st.integers(-(2**31), 2**31 - 1) | st.booleans() | st.text(max_size=40)
properties = st.builds(
    Basic.Properties,
    content_type=some_text,
    headers=st.none() | st.dictionaries(st.text("souk-", min_size=1, max_size=20), values, min_size=1, max_size=5),
    delivery_mode=st.sampled_from([None, 1, 2]),
    priority=st.none() | st.integers(1, 255),
    correlation_id=some_text,
    expiration=some_text,
    message_id=some_text,
    timestamp=st.none() | st.integers(0, 2**32 - 1).map(partial(datetime.fromtimestamp, tz=UTC)),
    message_type=some_text,
    app_id=some_text,
)


@on_a_slow_machine
@given(properties, st.integers(0, 2**20))
def test_a_content_header_is_what_pamqp_makes_of_it(sent: Basic.Properties, body_size: int) -> None:
    encoded = frame.marshal(ContentHeader(body_size=body_size, properties=sent), 1)
    read, (_, _, by_pamqp) = read_content_header(encoded, AT), frame.unmarshal(encoded)
    assert isinstance(by_pamqp, ContentHeader)
    assert (read.properties, read.body_size, read.class_id) == (by_pamqp.properties, body_size, by_pamqp.class_id)


@on_a_slow_machine
@given(names, st.integers(1, 2**63 - 1), st.booleans(), names, names)
def test_a_deliver_is_what_was_sent(tag: str, number: int, is_redelivered: bool, exchange: str, key: str) -> None:
    encoded = frame.marshal(Basic.Deliver(tag, number, is_redelivered, exchange, key), 1)
    assert list(read_deliver(encoded, AT)) == list(Basic.Deliver(tag, number, is_redelivered, exchange, key))


@pytest.mark.parametrize(
    ("sent", "mangle", "expected"),
    [
        (Basic.Properties(message_type="x?y"), (b"x?y", b"x\xffy"), Basic.Properties(message_type="x\ufffdy")),
        (Basic.Properties(headers={"a": 1}), (b"\x01ab", b"\x01a?"), Basic.Properties(headers={})),
        (Basic.Properties(headers={"a": 1}), (b"\x01ab", b"\xffab"), Basic.Properties(headers={})),
        (
            Basic.Properties(timestamp=datetime(2026, 1, 1, tzinfo=UTC)),
            (b"\0\0\0\0i", b"\xff\0\0\0i"),
            Basic.Properties(),
        ),
    ],
)
def test_what_a_stranger_sends_leaves_the_connection_alone(
    sent: Basic.Properties, mangle: tuple[bytes, bytes], expected: Basic.Properties
) -> None:
    encoded = frame.marshal(ContentHeader(properties=sent), 1)
    assert mangle[0] in encoded
    assert read_content_header(encoded.replace(*mangle), AT).properties == expected


def test_the_headers_of_one_message_are_not_those_of_another() -> None:
    encoded = frame.marshal(ContentHeader(properties=Basic.Properties(headers={"souk-attempt": 1})), 1)
    first, second = (read_content_header(encoded, AT).properties.headers for _ in range(2))
    assert first is not None
    first["souk-reason"] = "changed"
    assert second == {"souk-attempt": 1}
