"""A turn that is for a skill, from the message to the answer, and that nothing changes where there is none."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from parlour.skills import room
from parlour.skills.authoring import check, new_skill
from parlour.skills.figures import figures
from parlour.skills.routing import explain
from parlour.store.ids import ConversationId, TurnId
from parlour.turns import operating
from parlour.turns.said import Said
from parlour.turns.states import Author, TurnState
from tests.fakes.turns import ScriptedEngine
from tests.support.skill_book import book_of
from tests.support.stage import Stage, copy_of, make_template, open_stage

ADDED = '''

@skill.command("story", "Tell a story", zh="讲故事")
async def story(turn: Turn, model: Model):
    """As the model tells it."""
    async for piece in model.stream(turn.text or "anything", system="You tell stories."):
        yield piece


@skill.command("find", "Find in the documents")
async def find(turn: Turn, knowledge: Knowledge) -> str:
    """The best passage and where it is from."""
    return " ".join(f"{one.source}: {one.text}" for one in await knowledge.search(turn.text, limit=1)) or "Nothing."


@skill.command("near", "How near two texts are")
async def near(turn: Turn, vectors: Vectors) -> str:
    """Their cosine, as far as it is above or below a half."""
    one, other = await vectors.embed(turn.text.split(" or "))
    return "near" if sum(a * b for a, b in zip(one, other)) > 0.5 else "far"


@skill.command("crash", "Break")
async def crash() -> str:
    """Break in the middle."""
    yield "Half of it"
    __import__("os")._exit(1)


@skill.command("fail", "Raise")
async def fail(turn: Turn) -> str:
    """Raise with what was said."""
    raise ValueError(turn.text)


@skill.command("wrong", "Answer with what is none")
async def wrong(turn: Turn) -> str:
    """Answer with a dict."""
    return {turn.text: 1}


@skill.command("silent", "Say nothing")
async def silent(turn: Turn) -> str:
    """Say nothing."""
    return None


@skill.command("hang", "Never end")
async def hang(turn: Turn) -> str:
    """Wait for what never comes."""
    await __import__("asyncio").sleep(3600)


@skill.command("report", "Everything at once", zh="报告")
async def report():
    """A text, a chart, a file and buttons."""
    yield "Here it is."
    yield Chart("Growth 增长", ("Mon", "Tue"), (Series("cm", (1.0, 2.5)),))
    yield File("report.csv", b"a,b")
    yield Buttons("What next?", (Button("Again", "/report"), Button("Talk", "thank you")))


@skill.command("watch", "Be told")
async def watch(notify: Notify) -> str:
    """Subscribe."""
    await notify.subscribe("growth")
    return "I will tell you."


@skill.command("tell", "Tell them")
async def tell(turn: Turn, notify: Notify) -> str:
    """Tell all, as a job would."""
    told = await notify.subscribers("growth", [turn.text, File("growth.csv", b"a,b")], once="today")
    return f"{told} told."


@skill.command("flood", "Too many files")
async def flood():
    """More than is taken."""
    yield "So far so good."
    for number in range(30):
        yield File(f"{number}.txt", b"x")
'''


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a skill installed."""
    folder = tmp_path_factory.mktemp("skilled")
    new_skill(folder, "notes")
    source = folder / "notes" / "src" / "parlour_notes" / "__init__.py"
    imported = "import Button, Buttons, Chart, File, Knowledge, Model, Notify, Series, Skill, Vectors,"
    source.write_text(source.read_text().replace("import Skill,", imported) + ADDED)
    assert check(folder / "notes", is_freezing=True).problems == ()
    data = make_template(folder / "data")
    with open_stage(data) as stage:
        offer = book_of(stage).offer(folder / "notes")
        book_of(stage).install(offer, granted=offer.new_grants)
    return data


@pytest.fixture
def stage(template: Path, tmp_path: Path) -> Iterator[Stage]:
    with open_stage(Path(copy_of(template, tmp_path / "data"))) as made:
        yield made
        made.platform.skills.close()


@pytest.fixture
def told(stage: Stage) -> Callable[..., str]:
    """Gives a command and returns what is answered at last."""

    def tell(command: str, *, engine: ScriptedEngine | None = None, **details: str) -> str:
        stage.command(command, **details)
        return stage.answer_all(engine)

    return tell


def test_a_command_of_a_skill_is_answered_by_it(told: Callable[..., str]) -> None:
    assert told("notes") == "None yet."


def test_files_charts_and_buttons_are_kept_with_the_answer(told: Callable[..., str], stage: Stage) -> None:
    text = told("report")

    (said,) = _said(stage, "assistant")
    assert (said.text, said.closing) == ("Here it is.", "What next?")
    assert text == "Here it is.\n\nWhat next?"
    assert [(one.name, one.alt) for one in said.enclosures] == [("chart.png", "Growth 增长"), ("report.csv", None)]
    assert said.enclosures[0].words.startswith("**Growth 增长**")
    assert [(one.label, one.says) for one in said.buttons] == [("Again", "/report"), ("Talk", "thank you")]


def test_a_skill_tells_those_who_subscribed_once(told: Callable[..., str], stage: Stage) -> None:
    assert told("watch") == "I will tell you."

    assert told("tell It grew.", sender="ben") == "1 told."
    assert told("tell It grew.", sender="ben") == "0 told."

    said = _said(stage, "assistant")[-1]
    assert (said.text, [one.name for one in said.enclosures]) == ("It grew.", ["growth.csv"])


def test_too_many_files_end_in_an_honest_word(told: Callable[..., str], stage: Stage) -> None:
    assert told("flood") == "So far so good.\n\nThe skill “notes” had a problem and could not answer."
    assert len(_said(stage, "assistant")[0].enclosures) == 10


def _said(stage: Stage, author: str) -> list[Said]:
    conversation = ConversationId(stage.turns()[0].conversation_id)
    return [said for said in stage.platform.history.messages(conversation) if said.author == author]


def test_a_skill_asks_the_model_in_the_turns_name(told: Callable[..., str]) -> None:
    engine = ScriptedEngine(["Once ", "upon a time."])

    assert told("story of a fox", engine=engine) == "Once upon a time."
    assert engine.prompt[-1] == ("user", "of a fox")
    assert engine.system.endswith("You tell stories.")


def test_a_skill_is_told_how_near_texts_are_in_any_language(told: Callable[..., str]) -> None:
    assert told("near how do I return goods or 怎么退货") == "near"
    assert told("near how do I return goods or the weather is fine") == "far"


def test_a_skill_finds_what_its_person_may_read(told: Callable[..., str], stage: Stage, tmp_path: Path) -> None:
    workspace_id = stage.platform.accounts.ensure_workspace()
    (tmp_path / "hours.md").write_text("# Opening hours\n\nThe office opens at nine.\n")
    (tmp_path / "wages.md").write_text("# Wages\n\nThe office pays on the last day.\n")
    library = stage.platform.knowledge.library
    library.add(workspace_id, tmp_path / "hours.md")
    library.add(workspace_id, tmp_path / "wages.md", least_role="owner")

    assert "The office opens at nine." in told("find office opens nine")
    assert "wages" not in told("find office pays last day")


def test_a_skill_that_crashes_leaves_an_honest_answer(told: Callable[..., str]) -> None:
    assert told("crash") == "Half of it\n\nThe skill “notes” had a problem and could not answer."
    assert told("notes") == "None yet."


def test_a_skill_that_was_taken_out_in_the_middle_of_its_turn_is_told_so(
    told: Callable[..., str], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_NOTICED_AFTER_S", 3600.0)  # this worker has not heard of it yet
    assert told("notes") == "None yet."
    stage.command("crash")
    stage.command("notes", language="zh")

    book_of(stage).remove("notes", with_data=True)

    assert stage.answer_all() == "技能“notes”已被移除，无法继续回答。"
    first = stage.messages(Author.ASSISTANT.value)[-2]
    assert first == "Half of it\n\nThe skill “notes” was removed, and cannot answer any more."


def test_what_a_skill_raises_is_not_shown(told: Callable[..., str], stage: Stage) -> None:
    said = told("fail MARKER", language="zh")

    assert "MARKER" not in said
    assert "notes" in said
    assert stage.turns()[-1].state == TurnState.FAILED


@pytest.mark.parametrize(
    ("command", "code", "detail"),
    [
        ("fail MARKER", "skill_failed", r"skill_failed in command:fail: ValueError at parlour_notes/__init__\.py:\d+"),
        ("wrong MARKER", "skill_failed", r"skill_failed in command:wrong: Invalid at parlour_notes/__init__\.py:\d+"),
        ("crash", "skill_broke", r"skill_broke in command:crash: The skill 'notes' was ended: its process ended"),
        ("hang", "skill_timed_out", r"skill_timed_out in command:hang: SkillTimedOut"),
    ],
)
def test_a_turn_tells_an_operator_that_its_skill_failed_and_where(
    stage: Stage, told: Callable[..., str], monkeypatch: pytest.MonkeyPatch, command: str, code: str, detail: str
) -> None:
    defaults = room.SkillRoom._begin.__kwdefaults__ or {}
    timeout_s = 1.0 if code == "skill_timed_out" else 60.0
    monkeypatch.setattr(room.SkillRoom._begin, "__kwdefaults__", defaults | {"timeout_s": timeout_s})
    database, workspace_id = stage.platform.database, stage.platform.accounts.ensure_workspace()

    with capture_logs() as logs:
        told(command)

    (turn,) = operating.list_turns(database, state="failed")
    assert turn.error == code
    assert re.fullmatch(detail, turn.failure or "")
    assert f"The skill could not answer: {turn.failure}." in explain(operating.route_of(database, TurnId(turn.id)))
    assert figures(database, workspace_id, since=turn.received_at)["notes"].errors == 1
    assert stage.metric("parlour_skill_failures_total", skill="notes", code=code) == 1
    assert stage.metric("parlour_turns_finished_total", state="failed") == 1
    (broke,) = [one for one in logs if one["event"] == "skill_answer_broke"]
    assert (broke["handler"], broke["code"]) == ("command:" + command.partition(" ")[0], code)
    assert "MARKER" not in str(logs)
    # Told once, as the turn's answer.
    assert len(stage.messages(Author.ASSISTANT.value)) == len(stage.deliveries()) == 1


def test_a_skill_that_says_nothing_is_told_so(stage: Stage, told: Callable[..., str]) -> None:
    assert told("silent") == "The skill “notes” gave no answer."
    assert told("silent", language="zh") == "技能“notes”没有给出回答。"
    assert stage.states() == ["answered", "answered"]


def test_help_and_skills_tell_what_is_installed(stage: Stage) -> None:
    stage.command("help")
    stage.command("skills")

    help_text, skills = stage.messages()[-2:]
    assert "- /story: Tell a story" in help_text
    assert "- notes: Keeps notes for you" in skills


def test_a_skill_that_cannot_be_read_stops_no_message(stage: Stage) -> None:
    with stage.platform.database.begin() as session:
        session.connection().exec_driver_sql("UPDATE skills SET manifest = 'none'")

    stage.command("help")
    stage.say("Good morning")

    assert "/story" not in stage.messages()[-2]
    assert stage.answer_all(ScriptedEngine(["All well."])) == "All well."


def test_a_disabled_skill_is_not_called(stage: Stage) -> None:
    book_of(stage).enable("notes", is_enabled=False)

    stage.command("story")

    assert stage.queue.take() == []
    assert "/help" in stage.messages()[-1]


def test_a_skill_that_is_disabled_in_a_channel_is_not_called_there(stage: Stage, told: Callable[..., str]) -> None:
    book_of(stage).enable("notes", is_enabled=False, channel="telegram")
    stage.command("notes")
    assert "/help" in stage.messages()[-1]

    taken = stage.command("help")
    assert taken.conversation_id is not None
    book_of(stage).enable("notes", is_enabled=True, conversation_id=taken.conversation_id)

    assert told("notes") == "None yet."


def test_what_is_no_command_goes_to_the_model(stage: Stage, told: Callable[..., str]) -> None:
    stage.say("tell me a story")

    assert told("notes", engine=ScriptedEngine(["From the model."])) == "None yet."
    assert "From the model." in stage.messages(Author.ASSISTANT.value)


def test_the_skills_folder_is_not_needed_by_who_takes_messages_in(stage: Stage) -> None:
    shutil.rmtree(stage.settings.data_dir / "skills")

    assert stage.command("story").turn_id is not None
