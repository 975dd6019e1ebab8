"""Passwords that are hashed at little cost. A folder's conftest imports the fixture by name."""

import pytest
from argon2 import PasswordHasher

from parlour.admin.signin import passwords


@pytest.fixture(autouse=True)
def passwords_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time of a test that signs in would go into making that slow."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(passwords, "_NOBODYS", [])
