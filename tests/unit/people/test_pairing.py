"""Pairing codes."""

import re
from datetime import timedelta

from parlour.people.pairing import code_hash, pairing_code
from parlour.privacy.lookup import Lookup
from parlour.store.ids import UserId, new_id
from tests.fakes.clock import START

LOOKUP = Lookup(b"k" * 32)
ANN = UserId(new_id())


def test_a_code_is_short_and_has_no_letters_that_look_alike() -> None:
    codes = {pairing_code(LOOKUP, UserId(new_id()), START) for _ in range(500)}

    assert len(codes) == 500
    assert all(re.fullmatch(r"[A-HJKMNP-TV-Z2-9]{4}-[A-HJKMNP-TV-Z2-9]{4}", code) for code in codes)


def test_a_code_is_the_same_until_it_expires() -> None:
    code = pairing_code(LOOKUP, ANN, START)

    assert pairing_code(LOOKUP, ANN, START) == code
    assert pairing_code(LOOKUP, ANN, START + timedelta(days=1)) != code


def test_a_code_cannot_be_worked_out_without_the_key() -> None:
    assert pairing_code(LOOKUP, ANN, START) != pairing_code(Lookup(b"x" * 32), ANN, START)


def test_how_a_code_is_typed_makes_no_difference() -> None:
    assert code_hash(LOOKUP, " abcd efgh ") == code_hash(LOOKUP, "ABCD-EFGH")
    assert code_hash(LOOKUP, "ABCD-EFGJ") != code_hash(LOOKUP, "ABCD-EFGH")
