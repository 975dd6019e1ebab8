"""What a person can tell the assistant to do by a command in the chat."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from parlour.sdk.manifest import Entry
from parlour.skills.views import Place, enabled_manifests
from parlour.store.changes import changed_rows
from parlour.store.ids import ConversationId, TurnId, UserId, WorkspaceId
from parlour.store.models import Account, Message, Turn, User
from parlour.turns import people_commands, privacy_commands
from parlour.turns.command import Command, Context, Order
from parlour.turns.ending import stop_waiting
from parlour.turns.handoffs import NobodyThere
from parlour.turns.outbox import Outbox
from parlour.turns.ports import draft_number
from parlour.turns.states import Author, Mode, TurnState, is_open_turn
from parlour.turns.wording import ENGLISH_NAMES, LANGUAGES, say


def run(context: Context, text: str) -> Order:
    """Carry out `name argument`."""
    name, _, argument = text.partition(" ")
    command = BY_NAME.get(name.lower())
    if command is None and name.lower() in _of_skills(context):
        # A worker answers it: a skill never runs where messages are taken in.
        return Order(asks_again=f"/{text}")
    if command is None:
        return Order(say("unknown_command", context.language, given=name[:32]))
    return command.run(context, argument.strip())


def stop(session: Session, outbox: Outbox, conversation_id: UUID, *, now: datetime, only: str | None = None) -> bool:
    """Stop the running turn and everything that waits behind it; whether there was anything.

    `only` is one turn's id, or the number of its draft (`ports.draft_number`). The worker sees the mark within half a
    second and aborts in the engine; what was said so far stays.
    """
    wanted = Turn.conversation_id == conversation_id
    if only is not None:
        wanted &= Turn.id.in_(_named(session, conversation_id, only))
    running = update(Turn).where(wanted, Turn.state == TurnState.RUNNING.value)
    asked = changed_rows(session, running.values(is_stop_requested=True))
    ended = stop_waiting(session, outbox, wanted, now=now)
    return bool(asked or ended)


def _help(context: Context, _: str) -> Order:
    lines = [f"/{command.name}: {command.describe(context.language)}" for command in ALL]
    lines += [f"/{name}: {_about(entry, context.language)}" for name, entry in _of_skills(context).items()]
    return Order(say("help", context.language, commands="\n".join(f"- {line}" for line in lines)))


def _skills(context: Context, argument: str) -> Order:
    there = enabled_manifests(context.session, _place(context))
    if argument:
        return _bind(context, argument, [one.name for one in there if one.of_kind("answers")])
    if not there:
        return Order(say("skills", context.language))
    is_chinese = context.language == "zh"
    lines = [f"- {one.name}: {(is_chinese and one.description_zh) or one.description}" for one in there]
    bound = context.conversation.bound_skill
    return Order("\n".join([*lines, *([say("skill_bound", context.language, skill=bound)] if bound else [])]))


def _bind(context: Context, argument: str, names: Sequence[str]) -> Order:
    """Have everything that is said here answered by one skill, or let it be chosen again."""
    given = argument.lower()
    if given == "off":
        context.conversation.bound_skill = None
        return Order(say("skill_unbound", context.language))
    if given not in names:
        there = ", ".join(names) or "-"
        return Order(say("skill_unknown", context.language, given=argument[:64], there=there))
    context.conversation.bound_skill = given
    return Order(say("skill_bound", context.language, skill=given))


def _of_skills(context: Context) -> dict[str, Entry]:
    """The commands of enabled skills, by name; where two have the same, the first skill by name has it."""
    found: dict[str, Entry] = {}
    for manifest in enabled_manifests(context.session, _place(context)):
        for entry in manifest.of_kind("command"):
            found.setdefault(entry.name, entry)
    return found


def _place(context: Context) -> Place:
    conversation = context.conversation
    channel = context.session.get_one(Account, conversation.account_id).channel
    return Place(WorkspaceId(conversation.workspace_id), channel, ConversationId(conversation.id))


def _about(entry: Entry, language: str) -> str:
    return (language == "zh" and entry.about_zh) or entry.about


def _new(context: Context, _: str) -> Order:
    context.conversation.fresh_from_seq = context.turn.seq
    context.conversation.bound_skill = None
    return Order(say("new", context.language))


def _stop(context: Context, _: str) -> Order:
    stopped = stop(context.session, context.outbox, context.conversation.id, now=context.now)
    return Order(say("stopped" if stopped else "nothing_to_stop", context.language))


def _retry(context: Context, _: str) -> Order:
    """Ask the last message again; the earlier question and answer leave the prompt."""
    finished = (TurnState.ANSWERED.value, TurnState.FAILED.value, TurnState.STOPPED.value)
    found = context.session.execute(
        select(Turn, Message)
        .join(Message, Message.turn_id == Turn.id)
        .where(
            Turn.conversation_id == context.conversation.id,
            Turn.user_id == context.person.user_id,
            Turn.kind.in_(("message", "retry")),
            Turn.state.in_(finished),
            Message.author == Author.USER.value,
        )
        .order_by(Turn.seq.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return Order(say("nothing_to_retry", context.language))
    turn, message = found
    text = context.privacy.sealer.open_text(UserId(message.user_id), Message.body, message.id, message.body)
    if not text:  # a file alone: there is nothing that could be asked again
        return Order(say("nothing_to_retry", context.language))
    turn.state = TurnState.REPLACED.value
    return Order(asks_again=text)


def _language(context: Context, argument: str) -> Order:
    given = argument.lower().split("-")[0]
    if given not in LANGUAGES and given != "auto":
        return Order(say("language_unknown", context.language, given=argument[:32]))
    chosen = None if given == "auto" else given
    context.session.execute(update(User).where(User.id == context.person.user_id).values(language=chosen))
    if chosen is None:
        return Order(say("language_auto", context.language))
    return Order(say("language_set", chosen, language=LANGUAGES[chosen] if chosen == "zh" else ENGLISH_NAMES[chosen]))


def _mode(context: Context, argument: str) -> Order:
    if argument.lower() not in set(Mode):
        return Order(say("mode_unknown", context.language))
    context.conversation.mode = argument.lower()
    return Order(say(f"mode_{argument.lower()}", context.language))


def _human(context: Context, argument: str) -> Order:
    """Ask for a human, with what was said lately; where nobody can take over, say so."""
    handoffs, language = context.handoffs, context.language
    user_id = context.person.user_id
    recent = handoffs.recent(context.session, context.conversation, user_id, context.now)
    summary = "\n".join(part for part in (argument, recent) if part)
    try:
        queue = handoffs.request(context.session, context.conversation, user_id, summary, language, context.now)
    except NobodyThere:
        return Order(say("nobody_there", language))
    if queue.agent is not None:
        return Order(say("handoff_with", language, name=queue.agent))
    words = say("handoff_waiting", language, before=queue.before)
    if queue.minutes is not None:
        words = f"{words} {say('handoff_waiting_minutes', language, minutes=queue.minutes)}"
    return Order(words, live=queue.live)


def _done(context: Context, _: str) -> Order:
    """End what `/human` began, from the person's side."""
    handoff = context.handoffs.open_in(context.session, context.conversation)
    if handoff is None:
        return Order(say("nothing_to_end", context.language))
    name = context.handoffs.name_of(context.session, context.person.user_id)
    # The word that it is over comes by itself.
    return Order(live=tuple(context.handoffs.end(context.session, handoff, name, "", context.now)))


def _named(session: Session, conversation_id: UUID, name: str) -> list[UUID]:
    """The open turn of that id or draft number."""
    open_turns = select(Turn.id).where(Turn.conversation_id == conversation_id, is_open_turn(Turn.state))
    found = session.scalars(open_turns)
    return [one for one in found if name in {str(one), str(draft_number(TurnId(one)))}]


ALL: Final = (
    Command("help", "what I can do", "我能做什么", _help),
    Command("new", "start afresh", "重新开始对话", _new),
    Command("stop", "stop the answer being written", "停止正在写的回答", _stop),
    Command("retry", "answer the last message again", "重新回答上一条消息", _retry),
    Command(
        "language",
        "choose my language: /language zh, /language auto",
        "选择语言：/language zh，/language auto",
        _language,
    ),
    Command(
        "mode",
        "what new messages do while I answer: queue, merge or interrupt",
        "回答时收到新消息怎么办：queue、merge 或 interrupt",
        _mode,
    ),
    Command(
        "skills",
        "list the installed skills; have one answer here: /skills NAME, /skills off",
        "查看已安装的技能；指定由某个技能回答：/skills 名称，/skills off",
        _skills,
    ),
    Command("human", "talk to a person", "转人工服务", _human),
    Command("done", "go back to the assistant", "结束人工服务", _done),
    *people_commands.ALL,
    *privacy_commands.ALL,
)
BY_NAME: Final = {command.name: command for command in ALL}
