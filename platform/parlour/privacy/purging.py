"""Deleting what is past its time now, because somebody asks for it, instead of with the scheduler's next round."""

from parlour.privacy.audit import Deed, record
from parlour.privacy.erasure import Eraser
from parlour.privacy.preview import Due, preview
from parlour.privacy.retention import Retention, purge_expired, redate
from parlour.privacy.service import Privacy
from parlour.privacy.silence import erase_silent
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId


def purge_now(
    database: Database,
    privacy: Privacy,
    retention: Retention,
    eraser: Eraser,
    *,
    workspace_id: WorkspaceId,
    actor: str,
    reason: str | None = None,
) -> list[Due]:
    """Delete what is past its time, and return what that was in this workspace, by class and age.

    What is past its time in other workspaces goes with it, as it would within minutes; nothing is told of it.
    """
    redate(database, retention)
    now = database.clock.now()
    going = preview(database, retention, now=now, workspace_id=workspace_id)
    with database.begin() as session:
        record(session, privacy, Deed(actor, "retention.run", str(workspace_id), workspace_id, reason), now=now)
    purge_expired(database, now=now)
    erase_silent(database, eraser, retention, now=now)
    return going
