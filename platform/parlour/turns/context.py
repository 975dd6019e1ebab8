"""What the model gets to read: the system prompt, and as much of the conversation as its window holds."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, case, func, literal_column, or_, select
from sqlalchemy.orm import Session

from parlour.engines.errors import PromptTooLong
from parlour.engines.protocol import Message as ModelMessage
from parlour.engines.protocol import Role
from parlour.privacy.errors import KeyShredded, KeysMissing
from parlour.privacy.sealing import Sealer
from parlour.store.ids import UserId
from parlour.store.models import Message, Turn
from parlour.store.prepared import Asked, Query
from parlour.turns.extras import open_extras
from parlour.turns.order import Claim
from parlour.turns.states import ANNOUNCED, Author, TurnState
from parlour.turns.wording import ENGLISH_NAMES

Key = TypeVar("Key", UUID, str)
CountTokens = Callable[[Sequence[ModelMessage]], int]

# However short the messages, a prompt of more of them than this is not worth its reading.
_LONGEST_HISTORY = 200
_LEFT_OUT: Final[list[ColumnElement[str]]] = [
    literal_column(f"'{state.value}'") for state in (TurnState.REPLACED, TurnState.REFUSED, TurnState.DROPPED)
]
_REMEMBERED_COUNTS = 20_000


class Remark(NamedTuple):
    """One opened message of the conversation. A tuple: some hundred are made for every answer."""

    message_id: UUID
    role: Role
    text: str
    is_asked: bool
    """Whether it is what the turn has to answer."""
    is_unasked: bool = False
    """Whether the assistant said it by itself: news that somebody subscribed to, a human's words in its place."""


# The condition for turns that the claimed one, `turn`, answers: itself, and those merged into it.
IS_ANSWERED: Final[ColumnElement[bool]] = or_(Turn.id == bindparam("turn"), Turn.merged_into == bindparam("turn"))


class Row(NamedTuple):
    """One message of the conversation as it is stored."""

    message_id: UUID
    # None for the person who is answered: an id less to read for nearly every message.
    other_id: UUID | None
    author: str
    body: bytes
    extras: bytes | None
    is_asked: bool
    kind: str


_REMARKS = Query(
    select(
        Message.id,
        func.nullif(Message.user_id, bindparam("person", type_=Message.user_id.type), type_=Message.user_id.type),
        Message.author,
        Message.body,
        Message.extras,
        IS_ANSWERED,
        Turn.kind,
    )
    .join(Turn, Turn.id == Message.turn_id)
    .where(
        Message.conversation_id == bindparam("conversation"),
        # What is asked belongs into the prompt even if `/new` came while it waited.
        or_(Message.seq > bindparam("fresh_from"), IS_ANSWERED),
        Message.seq <= bindparam("last"),
        Message.author != Author.NOTICE.value,
        # What is past its time is out of prompts at once, though the purge comes later.
        or_(Message.expires_at.is_(None), Message.expires_at > bindparam("now")),
        Turn.state.not_in(_LEFT_OUT),
    )
    # What was asked before what was answered, whatever the clocks of the two processes that wrote it said.
    .order_by(
        Message.seq.desc(),
        case((Message.author == Author.USER.value, 0), else_=1).desc(),
        Message.created_at.desc(),
        Message.id.desc(),
    )
    .limit(_LONGEST_HISTORY),
    Row,
)


def ask_remarks(session: Session, claim: Claim, *, now: datetime) -> Asked[Row]:
    """Ask for the conversation up to the claimed turn, newest first, sealed as it is stored."""
    return _REMARKS.ask(
        session,
        person=claim.user_id,
        turn=claim.turn_id,
        conversation=claim.conversation_id,
        fresh_from=claim.fresh_from_seq,
        last=claim.seq,
        now=now,
    )


def remarks(rows: Sequence[Row], sealer: Sealer, claim: Claim) -> list[Remark]:
    """What was asked for, oldest first, opened.

    What belongs to a person whose key is gone has no place in any prompt and is left out.
    """
    # By person: their key is looked for once, not for every message.
    openers: dict[UUID | None, Callable[[UUID, bytes], str] | None] = {}
    found = []
    for row in reversed(rows):
        user_id = UserId(row.other_id or claim.user_id)
        if row.other_id not in openers:
            openers[row.other_id] = _opener(sealer, user_id)
        opened = openers[row.other_id]
        if opened is None:
            continue
        text = opened(row.message_id, row.body)
        if row.extras is not None:
            shown = open_extras(sealer, user_id, row.message_id, row.extras).in_words
            text = f"{text}\n\n{shown}".strip()
        is_users = row.author == Author.USER.value
        role: Role = "user" if is_users else "assistant"
        is_unasked = not is_users and row.kind == ANNOUNCED
        found.append(Remark(row.message_id, role, text, row.is_asked and is_users, is_unasked))
    return found


def _opener(sealer: Sealer, user_id: UserId) -> Callable[[UUID, bytes], str] | None:
    try:
        return sealer.opener(user_id, Message.body)
    except (KeyShredded, KeysMissing):
        return None


class PromptBuilder:
    """Fits a conversation into a model's window, counting with the model's own tokeniser."""

    def __init__(
        self, count_tokens: CountTokens, *, context_tokens: int, answer_tokens: int, about_tokens: int = 256
    ) -> None:
        self._count_tokens = count_tokens
        self._about_tokens = about_tokens
        # A quarter of a small window, at least, belongs to the question: an answer may not crowd it out.
        self._room = context_tokens - min(answer_tokens, context_tokens * 3 // 4)
        self._counts: OrderedDict[UUID, int] = OrderedDict()
        # Of instructions: one for each workspace and language.
        self._plain_counts: OrderedDict[str, int] = OrderedDict()

    def build(
        self, claim: Claim, said: Sequence[Remark], *, default_prompt: str, about: Sequence[str] = ()
    ) -> list[ModelMessage]:
        """The prompt: system message, then the newest messages that fit, none of them cut, oldest first.

        `about` is what is remembered of the person, the most important first: as much as its budget holds. Raises
        `PromptTooLong` when the system prompt and the message to answer alone are more than the window holds.
        """
        plain = _instructions(claim.system_prompt or default_prompt, claim.language)
        system, used = self._with(plain, about, claim.language)
        try:
            return [system, *self._history(claim, said, self._room - used)]
        except PromptTooLong:
            if not about:
                raise
            return self.build(claim, said, default_prompt=default_prompt)

    def _with(self, plain: str, about: Sequence[str], language: str) -> tuple[ModelMessage, int]:
        """The system message with as many lines about the person as fit, and its tokens."""
        system = ModelMessage("system", plain)
        used = self._remembered(self._plain_counts, plain, system)
        most = used + min(self._about_tokens, self._room // 4)
        kept = list(about)
        while kept:
            told = ModelMessage("system", f"{plain}\n\n{_told(kept, language)}")
            tokens = self._count_tokens([told])
            if tokens <= most:
                return told, tokens
            # What is more than its share goes at once, not line by line: each count asks the engine.
            keep = int(len(kept) * (most - used) / max(1, tokens - used))
            kept = kept[: min(keep, len(kept) - 1)]
        return system, used

    def _history(self, claim: Claim, said: Sequence[Remark], room: int) -> list[ModelMessage]:
        kept: list[Remark] = []
        for remark in reversed(said):
            tokens = self._tokens(remark)
            if tokens > room and not kept:
                raise PromptTooLong(f"the message of turn {claim.turn_id} alone is longer than the model's window")
            if tokens > room:
                break
            room -= tokens
            kept.append(remark)
        return _alternate(list(reversed(kept)))

    def _tokens(self, remark: Remark) -> int:
        return self._remembered(self._counts, remark.message_id, ModelMessage(remark.role, remark.text))

    def _remembered(self, counts: OrderedDict[Key, int], key: Key, message: ModelMessage) -> int:
        """The message's tokens. Counting asks the engine, in a thread of its own: only what was not counted before."""
        count = counts.get(key)
        if count is None:
            count = counts[key] = self._count_tokens([message])
            while len(counts) > _REMEMBERED_COUNTS:
                counts.popitem(last=False)
        else:
            counts.move_to_end(key)
        return count


def _instructions(prompt: str, language: str) -> str:
    return f"{prompt}\n\nAnswer in {ENGLISH_NAMES.get(language, 'the language of the question')}."


def _told(lines: Sequence[str], language: str) -> str:
    """What is remembered, marked as the person's own words: they ask for nothing that the prompt above forbids."""
    head = "关于对话者（记住的内容）：" if language == "zh" else "About the person you talk with (remembered):"
    return "\n".join([head, *(f"- {line}" for line in lines)])


def _alternate(said: list[Remark]) -> list[ModelMessage]:
    """Messages with roles in turn, beginning with the user's: many chat templates refuse anything else.

    What the assistant said before that by itself is quoted in the user's first: they may ask about it.
    """
    messages: list[ModelMessage] = []
    quoted = ""
    for remark in said:
        if not remark.text:
            continue
        if not messages and remark.role == "assistant":
            quoted += f"“{remark.text}”\n\n" if remark.is_unasked else ""
            continue
        if not messages:
            messages.append(ModelMessage(remark.role, f"{quoted}{remark.text}"))
        elif messages[-1].role == remark.role:
            messages[-1] = ModelMessage(remark.role, f"{messages[-1].content}\n\n{remark.text}")
        else:
            messages.append(ModelMessage(remark.role, remark.text))
    return messages
