"""Handing a conversation over to a human: asked for, taken by one, talked through, given back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from parlour.people.states import UserState
from parlour.sdk.errors import NotAvailable
from parlour.skills.desk import Whose
from parlour.store.ids import AccountId, SkillId, UserId, WorkspaceId, new_id
from parlour.store.models import Message, User
from parlour.store.outbound_models import Handoff
from parlour.turns.handoff_requests import HandoffRequests
from parlour.turns.handoffs import Place
from parlour.turns.ports import Address, IncomingKind, OutcomeUnknown, Taken, Verdict
from parlour.turns.states import Author
from tests.fakes.turns import FakeMessenger, ScriptedEngine
from tests.support.counted import counted
from tests.support.stage import Stage, until

MakeStage = Callable[..., Stage]
GROUP = "-100500"


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """People in Telegram, and a group there where agents are. Nobody else is let in."""
    access = {"policy": "allowlist", "allowlist": ["telegram:ann", "telegram:ben"]}
    return make_stage(handoff={"place": f"telegram:{GROUP}"}, access=access)


@pytest.fixture
def messenger(stage: Stage) -> FakeMessenger:
    return FakeMessenger(stage.account_id)


async def posted(stage: Stage, messenger: FakeMessenger) -> None:
    """Post all that is due."""

    def is_done() -> bool:
        stage.pass_time(0.2)
        return {row.state for row in stage.deliveries()} <= {"sent", "failed"}

    async with stage.posting(messenger):
        await until(is_done, "everything is sent")


def shown(messenger: FakeMessenger, chat: str) -> list[str]:
    return messenger.texts(chat)


def key_of(messenger: FakeMessenger, part: str) -> str:
    """The messenger's id of the message at the agents' place with these words in it."""
    return next(key for key, posted in messenger.board.items() if posted.chat == GROUP and part in posted.text)


def agent(stage: Stage, text: str, *, sender: str = "kim", to: str | None = None, **details: Any) -> Taken:
    """An agent writes in the group, as a reply to a message there."""
    return stage.say(text, sender=sender, chat=GROUP, is_private=False, reply_to=to, **details)


def press(stage: Stage, key: str, number: int, *, sender: str = "kim", **details: Any) -> Taken:
    return agent(stage, str(number), sender=sender, kind=IncomingKind.PRESS, message_key=key, **details)


def handoffs(stage: Stage) -> list[Handoff]:
    with stage.platform.database.read() as session:
        return list(session.scalars(select(Handoff).order_by(Handoff.id)))


async def asked(stage: Stage, messenger: FakeMessenger, sender: str = "ann") -> str:
    """Somebody asks for a person; the id of the request at the agents' place."""
    before = set(messenger.board)
    stage.command("human", sender=sender)
    await posted(stage, messenger)
    return next(key for key in messenger.board if key not in before and messenger.board[key].chat == GROUP)


# ---- asking ----


async def test_whoever_takes_over_reads_who_asks_and_what_was_said(stage: Stage, messenger: FakeMessenger) -> None:
    stage.answered("my order is late", says=["I am sorry."])

    await asked(stage, messenger)

    (request,) = shown(messenger, GROUP)
    assert "**Ann** asks for a person (0 waiting before)" in request
    assert "> 🙂 my order is late" in request
    assert "> 🤖 I am sorry." in request
    assert [post.buttons for post in messenger.posts if post.address.chat == GROUP] == [("Take it", "Done")]
    assert "(0 before you)" in stage.messages(Author.NOTICE.value)[1]


async def test_in_a_group_nobody_elses_words_are_quoted_and_none_past_their_time(
    stage: Stage, messenger: FakeMessenger
) -> None:
    """The request is kept under the asker's key: what another wrote would outlive that other's erasure in it."""
    team = {"chat": "team", "is_private": False}
    stage.answered("long ago", says=["Yes."], **team)
    with stage.platform.database.begin() as session:
        session.execute(update(Message).values(expires_at=stage.clock.now() - timedelta(seconds=1)))
    stage.answered("my diagnosis", says=["Noted."], sender="ben", **team)
    stage.answered("my order is late", says=["I am sorry."], **team)

    stage.command("human", **team)
    await posted(stage, messenger)

    request = next(text for text in shown(messenger, GROUP) if "asks for a person" in text)
    assert [line for line in request.splitlines() if line.startswith("> ")] == [
        "> 🙂 my order is late",
        "> 🤖 I am sorry.",
    ]


async def test_the_place_in_the_queue_and_the_usual_wait_are_told(stage: Stage, messenger: FakeMessenger) -> None:
    key = await asked(stage, messenger)
    stage.clock.advance(180)
    press(stage, key, 0)

    stage.command("human", sender="ben")
    stage.command("human", sender="ben")

    waiting = [text for text in stage.messages(Author.NOTICE.value) if "before you" in text]
    assert "(0 before you)" in waiting[-1]
    assert "about 3 min" in waiting[-1]
    assert len(handoffs(stage)) == 2


def test_where_nobody_can_take_over_it_is_said(make_stage: MakeStage) -> None:
    stage = make_stage()

    stage.command("human")

    assert "no one here who could take over" in stage.messages(Author.NOTICE.value)[-1]
    assert handoffs(stage) == []


def test_a_place_without_a_bot_is_no_place(make_stage: MakeStage) -> None:
    stage = make_stage(handoff={"place": "slack:C0AGENTS"})

    stage.command("human")

    assert "no one here" in stage.messages(Author.NOTICE.value)[-1]


# ---- taking ----


async def test_who_presses_first_has_it_and_the_second_is_told_who(stage: Stage, messenger: FakeMessenger) -> None:
    key = await asked(stage, messenger)

    press(stage, key, 0, sender="kim")
    press(stage, key, 0, sender="lee")
    await posted(stage, messenger)

    (handoff,) = handoffs(stage)
    assert handoff.state == "claimed"
    assert shown(messenger, GROUP)[1:] == [
        "**Kim** has it. What they write here goes to the person.",
        "**Kim** has it already; only what they write goes to the person.",
    ]
    assert shown(messenger, "chat-ann")[-1].startswith("**Kim** is here now.")


async def test_the_first_reply_takes_it_too_and_goes_to_the_person(stage: Stage, messenger: FakeMessenger) -> None:
    key = await asked(stage, messenger)

    agent(stage, "Hello Ann, I am looking.", to=key)
    await posted(stage, messenger)

    assert shown(messenger, "chat-ann")[-2:] == [
        "**Kim** is here now. What you write goes to them; the assistant is silent. /done ends it.",
        "**Kim**: Hello Ann, I am looking.",
    ]


async def test_only_who_has_it_is_heard_by_the_person(stage: Stage, messenger: FakeMessenger) -> None:
    key = await asked(stage, messenger)
    agent(stage, "Hello", to=key)

    agent(stage, "She is always late with paying", sender="lee", to=key)
    await posted(stage, messenger)

    assert not any("paying" in text for text in shown(messenger, "chat-ann"))
    assert "**Kim** has it already" in shown(messenger, GROUP)[-1]


async def test_an_event_that_comes_twice_is_said_once(stage: Stage, messenger: FakeMessenger) -> None:
    key = await asked(stage, messenger)

    verdicts = [agent(stage, "Hello", to=key, event_id="agent-1").verdict for _ in range(2)]
    await posted(stage, messenger)

    assert verdicts == [Verdict.REPLIED, Verdict.REPLIED]
    assert shown(messenger, "chat-ann").count("**Kim**: Hello") == 1


async def test_agents_need_no_code_and_a_blocked_one_is_not_heard(stage: Stage, messenger: FakeMessenger) -> None:
    key = await asked(stage, messenger)
    agent(stage, "Hello", to=key)
    with stage.platform.database.begin() as session:
        agents = select(Handoff.agent_id)
        session.execute(update(User).where(User.id.in_(agents)).values(state=UserState.BLOCKED.value))

    taken = agent(stage, "Still here", to=key)

    assert taken.verdict is Verdict.REFUSED
    assert stage.say("hi", sender="stranger").verdict is Verdict.REFUSED


async def test_of_many_who_press_at_the_same_moment_one_has_it(stage: Stage, messenger: FakeMessenger) -> None:
    key = await asked(stage, messenger)
    names = [f"agent{number}" for number in range(6)]
    for name in names:
        agent(stage, "hi", sender=name, to="no message of ours", is_addressed=False)

    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(lambda name: press(stage, key, 0, sender=name), names))
    await posted(stage, messenger)

    said = " ".join(shown(messenger, GROUP))
    assert said.count("has it. What they write") == 1
    assert said.count("has it already") == len(names) - 1
    assert len([text for text in shown(messenger, "chat-ann") if "is here now" in text]) == 1


async def test_both_may_write_at_the_same_moment(stage: Stage, messenger: FakeMessenger) -> None:
    """Each locks the other's conversation: in the same order, or a database would refuse one of them."""
    key = await asked(stage, messenger)
    agent(stage, "hello", to=key)

    with ThreadPoolExecutor(4) as threads:
        mine = [threads.submit(stage.say, f"mine {number}") for number in range(10)]
        theirs = [threads.submit(agent, stage, f"theirs {number}", to=key) for number in range(10)]
    await posted(stage, messenger)

    assert {taken.result().verdict for taken in mine} == {Verdict.ACCEPTED}
    assert {taken.result().verdict for taken in theirs} == {Verdict.REPLIED}
    assert len([text for text in shown(messenger, GROUP) if "mine" in text]) == 10
    assert len([text for text in shown(messenger, "chat-ann") if "theirs" in text]) == 10


# ---- talking ----


async def test_what_the_person_writes_goes_to_the_thread_and_the_assistant_is_silent(
    stage: Stage, messenger: FakeMessenger
) -> None:
    key = await asked(stage, messenger)
    agent(stage, "Which order?", to=key)

    taken = stage.say("number 7")
    await posted(stage, messenger)

    assert taken.verdict is Verdict.ACCEPTED
    assert stage.queue.waiting == []
    assert shown(messenger, GROUP)[-1] == "**Ann**: number 7"
    passed_on = [post for post in messenger.posts if post.address.chat == GROUP and post.text == "**Ann**: number 7"]
    assert [post.under for post in passed_on] == [key]


async def test_an_answer_to_any_message_of_the_thread_is_an_answer_to_its_person(
    stage: Stage, messenger: FakeMessenger
) -> None:
    first = await asked(stage, messenger)
    second = await asked(stage, messenger, "ben")
    agent(stage, "Hello", to=first)
    agent(stage, "Hello", to=second)
    stage.say("mine is blue", sender="ben")
    await posted(stage, messenger)

    agent(stage, "Noted.", to=key_of(messenger, "mine is blue"))
    await posted(stage, messenger)

    assert shown(messenger, "chat-ben")[-1] == "**Kim**: Noted."
    assert "Noted." not in " ".join(shown(messenger, "chat-ann"))


async def test_what_is_written_before_the_request_is_out_follows_it(stage: Stage, messenger: FakeMessenger) -> None:
    stage.command("human")
    stage.say("hurry")

    await posted(stage, messenger)

    request, message = shown(messenger, GROUP)
    assert (request[0], message) == ("🙋", "**Ann**: hurry")
    assert messenger.posts[-1].under is not None


async def test_a_word_whose_outcome_is_unknown_is_settled(stage: Stage, messenger: FakeMessenger) -> None:
    key = await asked(stage, messenger)
    messenger.fail("send", OutcomeUnknown("lost"), chat="chat-ann", is_done=True)

    agent(stage, "Hello", to=key)
    await posted(stage, messenger)

    assert shown(messenger, "chat-ann").count("**Kim**: Hello") == 1
    assert len(messenger.settled) == 1


async def test_talk_at_the_place_that_is_about_no_handoff_is_for_the_assistant(
    stage: Stage, messenger: FakeMessenger
) -> None:
    await asked(stage, messenger)

    taken = agent(stage, "what is the weather?", sender="ben")
    stage.work(stage.worker(ScriptedEngine(["Sunny."])))

    assert taken.verdict is Verdict.ACCEPTED
    assert stage.messages(Author.ASSISTANT.value)[-1] == "Sunny."


# ---- ending ----


@pytest.mark.parametrize("how", ["press", "reply", "bare"])
async def test_the_agent_ends_it_and_the_assistant_goes_on_knowing_what_was_said(
    stage: Stage, messenger: FakeMessenger, how: str
) -> None:
    stage.answered("where is it?", says=["I do not know."])
    key = await asked(stage, messenger)
    agent(stage, "It comes tomorrow.", to=key)
    stage.say("thank you")

    if how == "press":
        press(stage, key, 1)
    else:
        agent(stage, "done", kind=IncomingKind.COMMAND, to=key if how == "reply" else None)
    engine = ScriptedEngine()
    stage.say("when?")
    stage.work(stage.worker(engine))
    await posted(stage, messenger)

    assert engine.prompt[1:] == [
        ("assistant", "I do not know.\n\n**Kim**: It comes tomorrow."),
        ("user", "thank you\n\nwhen?"),
    ]
    assert shown(messenger, GROUP)[-1] == "Ended by **Kim**."
    assert "You are talking to the assistant again." in shown(messenger, "chat-ann")
    assert shown(messenger, "chat-ann")[-1] == "All well."


async def test_what_the_agent_says_at_the_end_is_in_the_assistants_context(
    stage: Stage, messenger: FakeMessenger
) -> None:
    stage.answered("where is it?", says=["I do not know."])
    key = await asked(stage, messenger)
    agent(stage, "Hello", to=key)
    agent(stage, "done Refund agreed, order 7", kind=IncomingKind.COMMAND, to=key)
    engine = ScriptedEngine()

    stage.say("and now?")
    stage.work(stage.worker(engine))

    assert engine.prompt[-2] == ("assistant", "I do not know.\n\n**Kim**: Hello\n\n**Kim**: Refund agreed, order 7")


async def test_the_person_may_end_it_too(stage: Stage, messenger: FakeMessenger) -> None:
    await asked(stage, messenger)

    stage.command("done")
    taken = stage.say("hello again")
    await posted(stage, messenger)

    assert taken.verdict is Verdict.ACCEPTED
    assert len(stage.queue.waiting) == 1
    assert shown(messenger, GROUP)[-1] == "Ended by **Ann**."
    stage.command("done")
    assert stage.messages(Author.NOTICE.value)[-1] == "You are talking to the assistant already."


async def test_ending_twice_is_ending_once_and_later_words_go_nowhere(stage: Stage, messenger: FakeMessenger) -> None:
    key = await asked(stage, messenger)
    agent(stage, "Hello", to=key)
    for number in range(2):
        press(stage, key, 1, event_id=f"end-{number}")

    agent(stage, "One more thing", to=key)
    await posted(stage, messenger)

    assert shown(messenger, "chat-ann").count("You are talking to the assistant again.") == 1
    assert "One more thing" not in " ".join(shown(messenger, "chat-ann"))
    assert "nothing goes to the person from here" in shown(messenger, GROUP)[-1]


async def test_after_the_end_a_person_may_ask_again(stage: Stage, messenger: FakeMessenger) -> None:
    key = await asked(stage, messenger)
    press(stage, key, 1)

    again = await asked(stage, messenger)

    assert again != key
    assert [handoff.state for handoff in handoffs(stage)] == ["ended", "waiting"]


# ---- privacy ----


async def test_an_erased_person_leaves_nothing_at_the_agents_place(stage: Stage, messenger: FakeMessenger) -> None:
    key = await asked(stage, messenger)
    agent(stage, "Hello", to=key)
    (handoff,) = handoffs(stage)

    with stage.platform.database.begin() as session:
        session.execute(delete(User).where(User.id == handoff.user_id))

    with stage.platform.database.read() as session:
        assert session.scalars(select(Message)).all() == []
    assert handoffs(stage) == []


async def test_a_group_whose_asker_was_erased_has_the_assistant_again(stage: Stage, messenger: FakeMessenger) -> None:
    stage.command("human", chat="team", is_private=False)
    (handoff,) = handoffs(stage)
    with stage.platform.database.begin() as session:
        session.execute(delete(User).where(User.id == handoff.user_id))

    taken = stage.say("hello", sender="ben", chat="team", is_private=False)

    assert len(stage.queue.waiting) == 1
    assert stage.conversation(taken).handoff_id is None


def test_a_plain_turn_costs_no_query_more_with_a_place_than_without(stage: Stage) -> None:
    counts = []
    for place in (stage.platform.handoffs.place, None):
        stage.platform.handoffs.place = place
        stage.answered("hello")
        with counted() as statements:
            stage.say("hello again")
        counts.append(len(statements))

    assert counts[0] == counts[1] > 0


# ---- by a skill ----


def _requests(stage: Stage) -> HandoffRequests:
    parts = stage.platform
    return HandoffRequests(database=parts.database, handoffs=parts.handoffs, bus=parts.bus)


def _whose(stage: Stage, taken: Taken) -> Whose:
    user_id = UserId(stage.turn(taken).user_id)
    return Whose(
        SkillId(new_id()), WorkspaceId(stage.platform.accounts.ensure_workspace()), user_id, taken.conversation_id
    )


async def test_a_skill_asks_and_hears_how_many_wait_before(stage: Stage, messenger: FakeMessenger) -> None:
    first = stage.answered("hello")
    second = stage.answered("hello", sender="ben")

    counts = [_requests(stage).request(_whose(stage, taken), "Wants a refund.") for taken in (first, second, second)]
    await posted(stage, messenger)

    assert counts == [0, 1, 1]
    assert ["> Wants a refund." in text for text in shown(messenger, GROUP)] == [True, True]


def test_a_skill_is_told_that_nobody_is_there(make_stage: MakeStage) -> None:
    stage = make_stage()
    taken = stage.answered("hello")

    with pytest.raises(NotAvailable, match=r"handoff\.place"):
        _requests(stage).request(_whose(stage, taken), "Help")


# ---- in Slack ----


async def test_in_slack_agents_answer_in_the_requests_thread(make_stage: MakeStage) -> None:
    stage = make_stage(handoff={"place": "slack:C0AGENTS"})
    slack_id = stage.platform.accounts.register("slack", "T1", "Team")
    slack, telegram = FakeMessenger(slack_id), FakeMessenger(stage.account_id)
    stage.command("human")
    async with stage.posting(slack, channel="slack"):
        await until(lambda: bool(slack.board), "the request is out")
    (root,) = slack.board

    def in_thread(text: str, **details: Any) -> Taken:
        place = Address("C0AGENTS", thread=root, is_private=False)
        return stage.say(text, sender="kim", address=place, account_id=AccountId(slack_id), **details)

    in_thread("Hello from Slack")
    stage.say("hello back")
    in_thread("0", kind=IncomingKind.PRESS, message_key=root)
    in_thread("done All settled", kind=IncomingKind.COMMAND)
    async with stage.posting(slack, channel="slack"), stage.posting(telegram):
        await until(lambda: {row.state for row in stage.deliveries()} == {"sent"}, "all is sent")

    assert [post.under for post in slack.posts] == [None, root, root, root]
    assert [post.text for post in slack.posts][2:] == ["**Ann**: hello back", "Ended by **Kim**."]
    assert [post.text for post in telegram.posts][-3:] == [
        "**Kim**: Hello from Slack",
        "**Kim**: All settled",
        "You are talking to the assistant again.",
    ]


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("", None),
        ("slack:C0123", Place("slack", "C0123")),
        ("telegram:-100500", Place("telegram", "-100500")),
        ("telegram:-100500/45", Place("telegram", "-100500", "45")),
    ],
)
def test_a_place_is_named_by_a_setting(setting: str, place: Place | None) -> None:
    assert Place.of(setting) == place
