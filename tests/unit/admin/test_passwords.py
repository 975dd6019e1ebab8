"""Passwords as they are stored."""

from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from parlour.admin.signin.passwords import hash_password, is_right

PASSWORD = "several words make a good one"


def test_a_stored_password_costs_a_thief_what_the_standard_recommends() -> None:
    stored = hash_password(PASSWORD)

    assert extract_parameters(stored) == RFC_9106_LOW_MEMORY
    assert is_right(stored, PASSWORD)
    assert not is_right(stored, f"{PASSWORD}!")
