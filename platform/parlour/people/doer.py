"""Who changes something about a person, for the audit log."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from parlour.privacy.audit import Deed, record
from parlour.privacy.service import Privacy
from parlour.store.ids import WorkspaceId
from parlour.store.models import User


@dataclass(frozen=True, slots=True)
class Doer:
    """Somebody at the command line, in a chat or on a page; `actor` is a word for them or a user's id, no name.

    `reason` is why they do it, where they said so.
    """

    privacy: Privacy
    actor: str
    reason: str | None = None

    def note(self, session: Session, action: str, user: User, *, now: datetime) -> None:
        """Write down what was done to `user`, as the last thing in the caller's transaction."""
        deed = Deed(self.actor, action, str(user.id), WorkspaceId(user.workspace_id), self.reason)
        record(session, self.privacy, deed, now=now)
