"""The protocol's codec: everything plain survives, nothing else is taken."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.sdk.wire import DEEPEST, HEAD, LARGEST_FRAME_BYTES, BadFrame, frame, length_of, message_of, pack, unpack

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
plain = st.none() | st.booleans() | numbers | st.text() | st.binary()
values = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(values)
def test_what_is_packed_is_unpacked(value: Any) -> None:
    assert unpack(pack(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    try:
        unpack(data)
    except BadFrame:
        return


# From the specification, https://github.com/msgpack/msgpack/blob/master/spec.md, and what msgpack's own library makes.
@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("c0", None), ("c2", False), ("c3", True), ("00", 0), ("7f", 127), ("cc80", 128), ("cdffff", 65535),
        ("ceffffffff", 2**32 - 1), ("ff", -1), ("e0", -32), ("d0df", -33), ("d18000", -32768), ("d280000000", -(2**31)),
        ("d38000000000000000", -(2**63)), ("ca3fc00000", 1.5), ("cb3ff8000000000000", 1.5), ("a161", "a"),
        ("d90161", "a"), ("da000161", "a"), ("db0000000161", "a"), ("c40101", b"\1"), ("c5000101", b"\1"),
        ("c60000000101", b"\1"), ("90", []), ("9101", [1]), ("dc000101", [1]), ("dd0000000101", [1]), ("80", {}),
        ("81a16101", {"a": 1}), ("de0001a16101", {"a": 1}), ("df00000001a16101", {"a": 1}),
    ],
)  # fmt: skip
def test_it_reads_what_other_libraries_write(data: str, value: Any) -> None:
    assert unpack(bytes.fromhex(data)) == value


@pytest.mark.parametrize("value", [{1: 2}, {1, 2}, object(), 2**64, -(2**63) - 1, 1j])
def test_what_is_not_plain_is_not_sent(value: Any) -> None:
    with pytest.raises(BadFrame):
        pack(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\xd4\x01\x00",  # an extension
        b"\xc7\x01\x01\x00",  # another
        b"\x81\x01\x01",  # a map with a number for a key
        b"\xdd\xff\xff\xff\xff",  # a list that claims four thousand million elements
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xa2a",
        b"\xa1\xff",
        b"\x01\x01",
        b"\x91" * (DEEPEST + 1) + b"\x01",
    ],
)
def test_what_no_honest_writer_sends_is_refused(data: bytes) -> None:
    with pytest.raises(BadFrame):
        unpack(data)


def test_a_value_nested_too_deep_is_not_sent() -> None:
    value: Any = 1
    for _ in range(DEEPEST):
        value = [value]

    with pytest.raises(BadFrame):
        pack(value)


def test_not_a_number_survives() -> None:
    assert math.isnan(unpack(pack(math.nan)))


def test_a_frame_is_its_length_and_its_message() -> None:
    made = frame({"is": "hello"})

    assert length_of(made[:HEAD]) == len(made) - HEAD
    assert message_of(made[HEAD:]) == {"is": "hello"}


@pytest.mark.parametrize("length", [0, LARGEST_FRAME_BYTES + 1, 2**32 - 1])
def test_a_frame_of_no_or_too_many_bytes_is_refused_before_it_is_read(length: int) -> None:
    with pytest.raises(BadFrame):
        length_of(length.to_bytes(HEAD, "big"))


def test_a_message_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(BadFrame):
        frame({"x": bytes(LARGEST_FRAME_BYTES)})


def test_a_message_is_a_map() -> None:
    with pytest.raises(BadFrame):
        message_of(pack([1]))
