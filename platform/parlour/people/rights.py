"""What each role may do. Every use case that not everybody may ask for is checked against this one table."""

from enum import StrEnum
from typing import Final

from parlour.people.states import Role


class Right(StrEnum):
    """One thing that a person may be allowed to do."""

    BE_REMEMBERED = "be remembered"
    APPROVE_PEOPLE = "approve people"
    MANAGE_PEOPLE = "manage people"
    MANAGE_ROLES = "manage roles"
    SEE_PEOPLE = "see people"
    READ_AUDIT = "read the audit"


_MEMBERS: Final = frozenset({Right.BE_REMEMBERED})
_AUDITORS: Final = _MEMBERS | {Right.SEE_PEOPLE, Right.READ_AUDIT}
_ADMINS: Final = _MEMBERS | {Right.SEE_PEOPLE, Right.APPROVE_PEOPLE, Right.MANAGE_PEOPLE}
RIGHTS: Final = {
    # Somebody who passes through: answered, and nothing is kept of them past the conversation.
    Role.GUEST: frozenset[Right](),
    Role.MEMBER: _MEMBERS,
    # Looks over the shoulders of those who run Parlour, and changes nothing.
    Role.AUDITOR: _AUDITORS,
    Role.ADMIN: _ADMINS,
    Role.OWNER: _ADMINS | _AUDITORS | {Right.MANAGE_ROLES},
}


def may(role: str, right: Right) -> bool:
    """Whether a person of that role may do it; never for a role that is not known."""
    return role in list(Role) and right in RIGHTS[Role(role)]
