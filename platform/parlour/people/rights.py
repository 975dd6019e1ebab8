"""What each role may do. Every use case that not everybody may ask for is checked against this one table."""

from enum import StrEnum
from typing import Final

from parlour.people.states import Role


class Right(StrEnum):
    """One thing that a person may be allowed to do."""

    BE_REMEMBERED = "be remembered"
    # People.
    SEE_PEOPLE = "see people"
    APPROVE_PEOPLE = "approve people"
    MANAGE_PEOPLE = "manage people"
    MANAGE_ROLES = "manage roles"
    ERASE_PEOPLE = "erase people"
    # What is said. An export holds everything that a person wrote.
    SEE_CONVERSATIONS = "see conversations"
    OPEN_CONTENT = "open what people wrote"
    EXPORT_PEOPLE = "export people"
    # Rules and keys.
    SEE_RETENTION = "see retention"
    MANAGE_RETENTION = "manage retention"
    SEE_HOLDS = "see holds"
    MANAGE_HOLDS = "manage holds"
    SEE_KEYS = "see keys"
    MANAGE_KEYS = "manage keys"
    READ_AUDIT = "read the audit"
    # The running of it.
    SEE_OVERVIEW = "see the overview"
    SEE_OPERATION = "see messengers and work"
    MANAGE_OPERATION = "manage messengers and work"
    SEE_FEEDBACK = "see feedback"
    SEE_SKILLS = "see skills"
    MANAGE_SKILLS = "manage skills"
    MANAGE_OPERATORS = "manage operators"
    # Passwords, sessions and tokens of one's own.
    HAVE_ACCOUNT = "have an account"


_MEMBERS: Final = frozenset({Right.BE_REMEMBERED})
_SEEING: Final = frozenset(
    {
        Right.SEE_PEOPLE,
        Right.SEE_CONVERSATIONS,
        Right.SEE_RETENTION,
        Right.SEE_HOLDS,
        Right.SEE_KEYS,
        Right.READ_AUDIT,
        Right.SEE_OVERVIEW,
        Right.SEE_OPERATION,
        Right.SEE_FEEDBACK,
        Right.SEE_SKILLS,
        Right.HAVE_ACCOUNT,
    }
)
_CHANGING: Final = frozenset(
    {
        Right.APPROVE_PEOPLE,
        Right.MANAGE_PEOPLE,
        Right.ERASE_PEOPLE,
        Right.MANAGE_RETENTION,
        Right.MANAGE_HOLDS,
        Right.MANAGE_OPERATION,
        Right.MANAGE_SKILLS,
    }
)
# What shows what people wrote. An admin has them where an owner granted them to that admin.
CONTENT: Final = frozenset({Right.OPEN_CONTENT, Right.EXPORT_PEOPLE})
RIGHTS: Final = {
    # Somebody who passes through: answered, and nothing is kept of them past the conversation.
    Role.GUEST: frozenset[Right](),
    Role.MEMBER: _MEMBERS,
    # Looks over the shoulders of those who run Parlour, and changes nothing.
    Role.AUDITOR: _MEMBERS | _SEEING,
    Role.ADMIN: _MEMBERS | _SEEING | _CHANGING,
    Role.OWNER: frozenset(Right),
}


def may(role: str, right: Right, *, opens_content: bool = False) -> bool:
    """Whether a person of that role may do it; never for a role that is not known.

    `opens_content`: an owner granted this person what is in `CONTENT`; it counts for an admin.
    """
    if role not in list(Role):
        return False
    return right in RIGHTS[Role(role)] or (opens_content and role == Role.ADMIN and right in CONTENT)
