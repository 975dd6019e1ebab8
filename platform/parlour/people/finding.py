"""A person by whatever names them, with all that they were before they linked their messengers."""

from contextlib import suppress

from parlour.people.errors import UserUnknown
from parlour.people.linking import ids_of
from parlour.people.users import find_user
from parlour.privacy.persons import as_uuid
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import UserId, WorkspaceId

# What stands before an id where the audit log names who did something.
_ACTORS = ("user", "login", "token")


def find_person(database: Database, privacy: Privacy, who: str, *, workspace_id: WorkspaceId) -> tuple[UserId, ...]:
    """Every id of the person whom `who` names, the one that they have now first. Raises as `find_user` does."""
    user_id = find_user(database, privacy, who, workspace_id=workspace_id)
    with database.read() as session:
        return tuple(ids_of(session, user_id))


def named_in_audit(database: Database, privacy: Privacy, word: str, *, workspace_id: WorkspaceId) -> tuple[str, ...]:
    """The words by which the audit log may name what `word` names: itself, an id as who did it, a person's every id."""
    ids = [] if as_uuid(word) is None else [word]
    # An operator, a hold, a command, and whoever was erased are no person here.
    with suppress(UserUnknown):
        ids += [str(one) for one in find_person(database, privacy, word, workspace_id=workspace_id)]
    return tuple(dict.fromkeys([word, *ids, *(f"{kind}:{one}" for one in ids for kind in _ACTORS)]))
