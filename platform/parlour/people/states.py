"""The words of a user's row."""

from enum import StrEnum
from typing import Final


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


# What a stranger can be let in as. More is given by whoever may manage roles.
ADMITTED_AS: Final = (Role.MEMBER, Role.GUEST)


class ConsentState(StrEnum):
    """Where a person's consent to being remembered stands; none in their row: they were not asked yet."""

    ASKED = "asked"
    GIVEN = "given"
    REFUSED = "refused"
