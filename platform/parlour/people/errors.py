"""What can be wrong with a request about people."""

from parlour.privacy.receipts import ErasureLine


class PeopleError(Exception):
    """What was asked about a person cannot be done. The message names the remedy."""


class UserUnknown(PeopleError):
    """There is no such user."""


class UserErased(UserUnknown):
    """The user was erased. `erasure` says when, and by which receipt."""

    def __init__(self, erasure: ErasureLine) -> None:
        self.erasure = erasure
        when = f"on {erasure.requested_at:%Y-%m-%d at %H:%M} UTC"
        receipt = f"The receipt: parlour receipt print {erasure.receipt_id}"
        super().__init__(f"User {erasure.subject_id} was erased {when}. {receipt}")


class HandleAmbiguous(PeopleError):
    """The messenger's id is known in several workspaces, and none of them was named."""


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
