"""A hold and an erasure of the same person at the same moment: one of them is refused."""

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from parlour.privacy import erasure as module
from parlour.privacy.holds import add_hold, list_holds
from parlour.privacy.logins import have_last_owner
from parlour.privacy.persons import SubjectUnknown
from tests.services import wait_until
from tests.support.stage import Stage
from tests.support.waiting import is_somebody_waiting


def test_a_hold_that_is_placed_while_an_erasure_begins_waits_and_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else both were confirmed: the erasure has looked for holds already, and is not written down yet."""
    parts, ann = stage.platform, stage.turn(stage.answered("first")).user_id
    workspace_id = parts.accounts.ensure_workspace()
    placed: list[Future[UUID]] = []

    def hold() -> UUID:
        return add_hold(
            parts.database,
            parts.privacy,
            workspace_id=workspace_id,
            user_id=ann,
            reason="Case 17",
            actor="command:test",
        )

    def meanwhile(session: Session, person: Collection[UUID]) -> bool:
        placed.append(thread.submit(hold))
        wait_until(lambda: placed[0].done() or is_somebody_waiting(parts.database), what="the hold to be placed")
        return have_last_owner(session, person)

    monkeypatch.setattr(module, "have_last_owner", meanwhile)
    with ThreadPoolExecutor(1) as thread:
        parts.eraser.erase(ann, actor="command:test")

    with pytest.raises(SubjectUnknown, match="nothing is left to be held"):
        placed[0].result()
    assert list_holds(parts.database, parts.privacy, all_of_them=True) == []
