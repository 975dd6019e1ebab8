"""What is written gets the date that the rules give it, not only what was there when a rule was set."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from parlour.people.facts import EntryKind, Fact, Source
from parlour.privacy.classes import DataClass
from parlour.privacy.retention import clear_rule, redate, set_rule
from parlour.privacy.rules import Rule, Scope
from parlour.skills.documents import Documents, Shelf
from parlour.store.ids import SkillId, UserId, new_id
from parlour.store.models import Message
from parlour.store.outbound_models import Subscription
from parlour.store.people_models import ProfileEntry, UsageDay
from parlour.store.skill_models import SkillDocument, SkillRow
from tests.fakes.clock import START
from tests.support.sqlite_stage import MakeStage
from tests.support.stage import Stage

LIKES_TEA = Fact(EntryKind.MEMORY, "likes tea")


def _ann(stage: Stage) -> UserId:
    stage.answered("hello")
    with stage.platform.database.read() as session:
        return UserId(session.scalars(select(Message.user_id)).first() or pytest.fail("nobody wrote"))


def _shelf(stage: Stage, ann: UserId) -> Shelf:
    workspace_id, skill_id = stage.platform.accounts.ensure_workspace(), SkillId(new_id())
    about = {"name": "notes", "version": "1", "state": "enabled", "manifest": "{}", "lock": "[]", "folder": "notes"}
    with stage.platform.database.begin() as session:
        session.add(SkillRow(id=skill_id, workspace_id=workspace_id, installed_at=START, updated_at=START, **about))
    return Shelf(skill_id, workspace_id, ann)


def _documents(stage: Stage) -> Documents:
    parts = stage.platform
    return Documents(database=parts.database, privacy=parts.privacy, clock=parts.clock, retention=parts.retention)


def _rule(stage: Stage, data_class: DataClass, days: int | None) -> None:
    parts = stage.platform
    keep = None if days is None else timedelta(days=days)
    rule = Rule(parts.accounts.ensure_workspace(), Scope(), data_class, keep)
    set_rule(parts.database, parts.privacy, rule, actor="command:test")
    redate(parts.database, parts.retention)
    # A rule is known in every process within seconds: these parts know the rules by heart until then.
    for part in ("retention", "profiles", "quotas", "intake"):
        stage.platform.__dict__.pop(part, None)


def _remember(stage: Stage, ann: UserId, fact: Fact = LIKES_TEA) -> None:
    with stage.platform.database.begin() as session:
        stage.platform.profiles.remember(session, ann, fact, source=Source.TOLD, now=stage.clock.now())


def _dates(stage: Stage, table: type[ProfileEntry | SkillDocument | Subscription | UsageDay]) -> set[datetime | None]:
    with stage.platform.database.read() as session:
        return set(session.scalars(select(table.expires_at)))


def test_a_skills_document_gets_the_date_of_the_rule_that_stands(stage: Stage) -> None:
    shelf = _shelf(stage, _ann(stage))
    _documents(stage).put(shelf, "plant", {"name": "basil"}, "a")
    by_default = _dates(stage, SkillDocument)
    _rule(stage, DataClass.SKILL_DOCUMENT, 7)

    _documents(stage).put(shelf, "plant", {"name": "ficus"}, "a")
    _documents(stage).put(shelf, "plant", {"name": "fern"}, "b")

    assert (by_default, _dates(stage, SkillDocument)) == (
        {START + timedelta(days=365)},
        {START + timedelta(days=7)},
    )


def test_a_skills_document_past_its_date_is_read_no_more(stage: Stage) -> None:
    shelf, documents = _shelf(stage, _ann(stage)), _documents(stage)
    documents.put(shelf, "plant", {"name": "basil"}, "a")

    stage.clock.advance(timedelta(days=365, seconds=1).total_seconds())

    assert (documents.get(shelf, "plant", "a"), documents.all(shelf, "plant")) == (None, [])
    documents.put(shelf, "plant", {"name": "ficus"}, "a")
    assert [one["name"] for one in documents.all(shelf, "plant")] == ["ficus"]


def test_what_is_remembered_gets_the_date_of_the_rule_that_stands(make_stage: MakeStage) -> None:
    """Without one it is kept for the days of the settings, and again once the rule is taken away."""
    stage = make_stage(personalisation={"keep_days": 100})
    ann, parts = _ann(stage), stage.platform
    _remember(stage, ann)
    found = [_dates(stage, ProfileEntry)]
    _rule(stage, DataClass.PROFILE, 7)
    found.append(_dates(stage, ProfileEntry))
    _remember(stage, ann, Fact(EntryKind.MEMORY, "plays the cello"))
    found.append(_dates(stage, ProfileEntry))
    workspace_id = parts.accounts.ensure_workspace()

    clear_rule(parts.database, parts.privacy, workspace_id, Scope(), DataClass.PROFILE, actor="command:test")
    redate(parts.database, parts.retention)

    found.append(_dates(stage, ProfileEntry))
    assert found == [{START + timedelta(days=days)} for days in (100, 7, 7, 100)]


def test_what_is_remembered_is_read_no_more_past_its_date(stage: Stage) -> None:
    ann = _ann(stage)
    _rule(stage, DataClass.PROFILE, 7)
    _remember(stage, ann)

    stage.clock.advance(timedelta(days=7, seconds=1).total_seconds())

    with stage.platform.database.read() as session:
        assert stage.platform.profiles.entries(session, ann) == []


def test_a_subscription_stays_until_it_is_ended_unless_a_rule_is_set(stage: Stage) -> None:
    ann, parts = _ann(stage), stage.platform
    skill_id = _shelf(stage, ann).skill_id
    with parts.database.begin() as session:
        conversation_id = session.scalars(select(Message.conversation_id)).first()
        row = Subscription(id=new_id(), skill_id=skill_id, conversation_id=conversation_id)
        row.user_id, row.topic_hash, row.topic, row.created_at = ann, b"t" * 32, b"t", START
        session.add(row)
    workspace_id = parts.accounts.ensure_workspace()
    _rule(stage, DataClass.PROFILE, 7)
    ruled = _dates(stage, Subscription)

    clear_rule(parts.database, parts.privacy, workspace_id, Scope(), DataClass.PROFILE, actor="command:test")
    redate(parts.database, parts.retention)

    assert (ruled, _dates(stage, Subscription)) == ({START + timedelta(days=7)}, {None})


def test_use_by_day_gets_the_date_of_the_rule_that_stands(make_stage: MakeStage) -> None:
    stage = make_stage(quotas={"user_turns": 100})
    _rule(stage, DataClass.OPERATIONAL, 7)

    _ann(stage)

    midnight = START.replace(hour=0, minute=0, second=0, microsecond=0)
    assert _dates(stage, UsageDay) == {midnight + timedelta(days=7)}
