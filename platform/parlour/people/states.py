"""The words of a user's row."""

from enum import StrEnum


class UserState(StrEnum):
    """Whether a person may talk to the assistant."""

    ACTIVE = "active"
    PENDING = "pending"  # a stranger with a pairing code
    BLOCKED = "blocked"
    ERASED = "erased"


class Role(StrEnum):
    """What a person may do besides talking."""

    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"
