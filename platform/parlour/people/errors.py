"""What can be wrong with a request about people."""


class PeopleError(Exception):
    """What was asked about a person cannot be done. The message names the remedy."""


class UserUnknown(PeopleError):
    """There is no such user."""


class RoleUnknown(PeopleError):
    """There is no such role."""


class NotBlocked(PeopleError):
    """Only a blocked person can be unblocked."""


class LastOwner(PeopleError):
    """A workspace keeps at least one owner who can act."""


class CodeUnknown(PeopleError):
    """No one waits with this pairing code, or it has expired."""


class WorkspaceRemoved(PeopleError):
    """The workspace was removed; nothing new is registered in it."""


class WorkspaceUnknown(PeopleError):
    """There is no such workspace."""


class ProfileFull(PeopleError):
    """Nothing more can be remembered about this person before something is forgotten."""


class LinkRefused(PeopleError):
    """The link code is unknown, used or expired, or of the very person who typed it."""


class NotActive(PeopleError):
    """What was asked is for people who may talk."""
