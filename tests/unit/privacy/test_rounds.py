"""What is past its time goes by itself: the scheduler's rounds on a whole platform."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from parlour.people.facts import EntryKind, Fact, Source
from parlour.privacy.classes import DataClass
from parlour.privacy.retention import redate, set_rule
from parlour.privacy.rules import Rule, Scope
from parlour.processes import scheduler as module
from parlour.processes.scheduler import Scheduler
from parlour.store.ids import UserId
from parlour.store.models import Turn, User
from parlour.store.people_models import ProfileEntry
from tests.services import wait_until
from tests.support.stage import Stage


@pytest.fixture
def scheduler(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Scheduler:
    """That of the stage, which does not wait long between what it does."""
    monkeypatch.setattr(module, "SWEEP_EVERY_S", 0.01)
    return Scheduler(stage.platform)


def test_what_is_past_its_time_goes_and_what_was_written_without_a_date_too(stage: Stage, scheduler: Scheduler) -> None:
    """Messages by the first rule; what is remembered, and a person, though no date stands with them."""
    stage.answered("hello", sender="ann")
    stage.answered("hello", sender="bob")
    _keep(stage, DataClass.PROFILE, days=30)
    _keep(stage, DataClass.IDENTITY, days=365)
    parts = stage.platform
    with parts.database.begin() as session:
        ann, bob = (UserId(one) for one in session.scalars(select(User.id).order_by(User.id)))
        parts.profiles.remember(
            session, ann, Fact(EntryKind.MEMORY, "likes tea"), source=Source.TOLD, now=parts.clock.now()
        )
        session.execute(update(ProfileEntry).values(expires_at=None))
        session.execute(update(User).values(expires_at=None))
    stage.clock.advance(366 * 86_400)
    stage.answered("still here", sender="ann")

    scheduler.start()
    try:
        wait_until(lambda: stage.count(User) == 1, what="the silent person to go")
    finally:
        scheduler.stop()

    assert stage.count(ProfileEntry) == 0
    assert stage.messages() == ["still here", "All well."]
    with parts.database.read() as session:
        assert session.get(User, bob) is None
        assert set(session.scalars(select(Turn.user_id))) == {ann}


def _keep(stage: Stage, data_class: DataClass, *, days: int) -> None:
    parts = stage.platform
    rule = Rule(parts.accounts.ensure_workspace(), Scope(), data_class, timedelta(days=days))
    set_rule(parts.database, parts.privacy, rule, actor="command:test")
    redate(parts.database, parts.retention)
