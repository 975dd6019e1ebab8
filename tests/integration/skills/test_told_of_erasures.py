"""A skill is told who was erased, and its process forgets them: real processes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from parlour.skills.authoring import check, new_skill
from parlour.skills.documents import Shelf
from parlour.skills.jobs import JobBook
from parlour.store.ids import UserId
from parlour.store.models import Message
from parlour.store.skill_models import Job, SkillErasure
from tests.fakes.turns import ScriptedEngine
from tests.services import wait_until
from tests.support.skill_book import book_of
from tests.support.stage import Stage, copy_of, make_template, open_stage

SKILL = '''
"""A skill that remembers people where no host looks: in its process, and in the shared store."""

from parlour.sdk import SharedStore, Skill, Turn

skill = Skill("gossip", "Tells who spoke", keeps={"speaker": "who spoke, by the name that the host gives them"})
heard = []


@skill.command("heard", "What was heard so far")
async def hear(turn: Turn, shared: SharedStore) -> str:
    heard.append(turn.text)
    await shared.put("speaker", {"said": turn.text}, id=turn.user)
    return " | ".join(heard)


@skill.on_erased
async def forget(user: str, shared: SharedStore) -> None:
    if await shared.get("speaker", "broken"):
        raise ValueError("MARKER")
    if (await shared.get("speaker", user) or {}).get("said") == "a stone":
        raise ValueError("MARKER")
    await shared.delete("speaker", user)
'''


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the skill installed."""
    folder = tmp_path_factory.mktemp("gossip")
    new_skill(folder, "gossip")
    (folder / "gossip" / "src" / "parlour_gossip" / "__init__.py").write_text(SKILL)
    assert check(folder / "gossip", is_freezing=True).problems == ()
    data = make_template(folder / "data")
    with open_stage(data) as stage:
        book = book_of(stage)
        offer = book.offer(folder / "gossip")
        book.install(offer, granted=offer.new_grants)
    return data


@pytest.fixture
def stage(template: Path, tmp_path: Path) -> Iterator[Stage]:
    with open_stage(copy_of(template, tmp_path / "data")) as made:
        yield made
        made.platform.skills.close()


def _hears(stage: Stage, text: str, *, sender: str) -> str:
    """What the skill has heard, as it tells the one who speaks."""
    stage.command(f"heard {text}", sender=sender)
    return stage.answer_all()


def _whoever_said(stage: Stage, text: str) -> UserId:
    with stage.platform.database.read() as session:
        for row in session.scalars(select(Message)):
            if text in stage.platform.sealer.open_text(UserId(row.user_id), Message.body, row.id, row.body):
                return UserId(row.user_id)
    raise AssertionError(f"nobody said {text}")


def _speakers(stage: Stage) -> set[str]:
    shelf = Shelf(book_of(stage).get("gossip").id, stage.platform.accounts.ensure_workspace())
    return {one["said"] for one in stage.platform.skills._documents.all(shelf, "speaker")}


def _tell(stage: Stage) -> str | None:
    """Have a worker do what is due; how the telling went."""
    runner = stage.platform.job_runner(cast("Any", ScriptedEngine()))
    for job_id in stage.platform.jobs.due():
        runner.run(job_id)
    with stage.platform.database.read() as session:
        return session.scalars(select(Job.outcome).where(Job.name == "erased:forget")).one()


def test_a_skill_lets_go_of_what_it_kept_under_the_persons_name(stage: Stage) -> None:
    _hears(stage, "ann was here", sender="ann")
    _hears(stage, "bob was here", sender="bob")
    before = _speakers(stage)

    stage.platform.eraser.erase(_whoever_said(stage, "ann was here"), actor="command:test")
    outcome = _tell(stage)

    assert before == {"ann was here", "bob was here"}
    assert (outcome, _speakers(stage), stage.count(SkillErasure)) == ("done", {"bob was here"}, 0)


def test_a_process_that_has_seen_the_person_answers_nobody_any_more(stage: Stage) -> None:
    _hears(stage, "ann was here", sender="ann")
    together = _hears(stage, "bob was here", sender="bob")

    stage.platform.eraser.erase(_whoever_said(stage, "ann was here"), actor="command:test")
    supervisor = stage.platform.skills._supervisor
    wait_until(lambda: all(one.process is None for one in supervisor._places.values()), what="the process is renewed")

    assert together == "ann was here | bob was here"
    assert _hears(stage, "bob again", sender="bob") == "bob again"


def test_a_skill_that_fails_is_told_again_and_nothing_of_it_is_lost(stage: Stage) -> None:
    _hears(stage, "ann was here", sender="ann")
    parts, shelf = stage.platform, Shelf(book_of(stage).get("gossip").id, stage.platform.accounts.ensure_workspace())
    parts.skills._documents.put(shelf, "speaker", {"said": "a stone in the way"}, "broken")
    parts.eraser.erase(_whoever_said(stage, "ann was here"), actor="command:test")
    failed = _tell(stage)
    parts.skills._documents.delete(shelf, "speaker", "broken")

    at_once = stage.platform.jobs.due()
    stage.clock.advance(3_601)
    later = _tell(stage)

    assert (failed, at_once, later) == ("failed", [], "done")
    assert _speakers(stage) == set()


def test_a_person_that_a_skill_fails_on_keeps_it_from_forgetting_nobody_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where only so many are told at once."""
    for said, sender in (("a stone", "ann"), ("bob was here", "bob"), ("cyd was here", "cyd")):
        _hears(stage, said, sender=sender)
    for said in ("a stone", "bob was here", "cyd was here"):
        stage.clock.advance(1)
        stage.platform.eraser.erase(_whoever_said(stage, said), actor="command:test")
    monkeypatch.setattr("parlour.skills.jobs._BATCH", 2)

    stage.clock.advance(1)
    first, left = _tell(stage), _speakers(stage)
    stage.clock.advance(3_601)
    _tell(stage)

    assert (first, left) == ("failed", {"a stone", "cyd was here"})
    assert (_speakers(stage), stage.count(SkillErasure)) == ({"a stone"}, 1)


def test_a_worker_that_has_lost_the_job_tells_of_nobody_more(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for said, sender in (("a stone", "ann"), ("bob was here", "bob")):
        _hears(stage, said, sender=sender)
    for said in ("a stone", "bob was here"):
        stage.clock.advance(1)
        stage.platform.eraser.erase(_whoever_said(stage, said), actor="command:test")
    monkeypatch.setattr(JobBook, "renew", lambda *_: False)

    _tell(stage)

    assert _speakers(stage) == {"a stone", "bob was here"}


def test_whoever_is_erased_while_the_skill_is_told_is_told_of_at_once(stage: Stage) -> None:
    _hears(stage, "ann was here", sender="ann")
    jobs, ann = stage.platform.jobs, _whoever_said(stage, "ann was here")
    with stage.platform.database.begin() as session:
        session.execute(update(Job).values(due_at=stage.clock.now()))
    claim = jobs.claim()
    assert claim is not None
    stage.platform.eraser.erase(ann, actor="command:test")

    jobs.finish(claim, "done")

    assert jobs.due() == [claim.job_id]
