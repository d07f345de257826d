"""What is kept of a handler's error and result."""

from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from shared.contracts.reports import MAX_ERROR_CHARS, MAX_RESULT_BYTES
from shared.errors import InvalidInput
from shared.messaging.attempt import described, kept_result, storable


def test_an_error_is_kept_by_class_and_detail() -> None:
    assert described(InvalidInput("no picture")).model_dump() == {
        "error_class": "InvalidInput",
        "message": "no picture",
    }
    assert described(ValueError()).message == "ValueError()"


def test_a_long_error_is_cut() -> None:
    assert len(described(ValueError("x" * 10_000)).message) == MAX_ERROR_CHARS


@given(st.text(st.characters(codec=None), max_size=50))
def test_whatever_an_error_says_can_be_kept(text: str) -> None:
    message = described(RuntimeError(text)).message
    assert "\x00" not in message
    assert orjson.loads(orjson.dumps(message)) == message


def test_half_a_character_and_nul_are_replaced() -> None:
    assert storable("a\x00b\ud800c") == "a\ufffdb?c"


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        (None, None),
        ({"sent": 1}, {"sent": 1}),
        ([UUID(int=1)], ["00000000-0000-0000-0000-000000000001"]),
        ({"a": "x\x00y"}, {"a": "x\ufffdy"}),
        ({"a": "no\\u0000nul"}, {"a": "no\\u0000nul"}),
        ({"a": "\\\x00"}, {"a": "\\\ufffd"}),
        (float("nan"), None),
    ],
)
def test_a_result_is_kept_as_json(result: object, kept: JsonValue) -> None:
    assert kept_result(result) == kept


@pytest.mark.parametrize("result", [object(), {1: 2}, "\ud800", 2**70, {"a": "x" * MAX_RESULT_BYTES}])
def test_a_result_that_cannot_be_kept_says_so_instead_of_failing_the_job(result: object) -> None:
    match kept_result(result):
        case {"result_not_kept": str()}:
            pass
        case other:
            pytest.fail(f"{other}")
