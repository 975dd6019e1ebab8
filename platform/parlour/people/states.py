"""The words of a user's row."""

from enum import StrEnum


class UserState(StrEnum):
    """Whether a person may talk to the assistant."""

    ACTIVE = "active"
    PENDING = "pending"  # a stranger with a pairing code
    BLOCKED = "blocked"
    MERGED = "merged"  # linked to another user, who they are now
    ERASED = "erased"


class Role(StrEnum):
    """What a person may do besides talking, from the least to the most. `people.rights` says what each may."""

    GUEST = "guest"
    MEMBER = "member"
    AUDITOR = "auditor"
    ADMIN = "admin"
    OWNER = "owner"


class ConsentState(StrEnum):
    """Where a person's consent to being remembered stands; none in their row: they were not asked yet."""

    ASKED = "asked"
    GIVEN = "given"
    REFUSED = "refused"
