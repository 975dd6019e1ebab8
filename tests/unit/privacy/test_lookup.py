"""Keyed hashes of ids."""

from hypothesis import assume, given
from hypothesis import strategies as st

from parlour.privacy.lookup import Lookup

KEY = bytes(range(32))
PARTS = st.lists(st.text(st.characters(codec=None), max_size=8), max_size=4)


def test_the_same_id_has_the_same_hash_in_every_version() -> None:
    """Rows are found by these: a change of the algorithm would lose every person. The value is from openssl."""
    found = Lookup(KEY).hash("identity", "telegram", "12345")

    assert found.hex() == "fb2263bf91a4ecb70d5127f1fbf27946ca9b3139209623d811079e4a83057b5d"


def test_another_key_gives_another_hash() -> None:
    assert Lookup(KEY).hash("a") != Lookup(KEY[::-1]).hash("a")


@given(PARTS, PARTS)
def test_different_parts_never_meet(one: list[str], other: list[str]) -> None:
    """`("a", "bc")` is not `("ab", "c")`."""
    assume(one != other)

    assert Lookup(KEY).hash(*one) != Lookup(KEY).hash(*other)


@given(PARTS)
def test_any_text_has_a_hash_of_32_bytes(parts: list[str]) -> None:
    assert len(Lookup(KEY).hash(*parts)) == 32
