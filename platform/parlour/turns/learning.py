"""Learning from what a person wrote, behind the turn: what they ask to be remembered, and what the model finds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from parlour.engines.errors import EngineError
from parlour.engines.protocol import JOBS_AFTER, Request, Sampling
from parlour.people import consent
from parlour.people.errors import ProfileFull
from parlour.people.extraction import MOST_KNOWN, Proposal, might_tell, prompt_for, proposals, schema
from parlour.people.facts import EntryKind, Fact, Source, plain_words
from parlour.people.profile import Entry, Profiles
from parlour.people.relevance import overlap
from parlour.people.sensitive import is_sensitive
from parlour.people.telling import asked_to_remember, sentences, told
from parlour.privacy.errors import KeyShredded
from parlour.privacy.sealing import Sealer
from parlour.store.database import Database
from parlour.store.ids import TurnId, UserId
from parlour.store.models import Conversation, Message, Turn
from parlour.turns.states import Author

log = structlog.get_logger(__name__)

_MOST_TOKENS: Final = 160
# Of one message: each takes a second look and a vector, and a worker has other turns.
_MOST_TOLD: Final = 20
# A correction has at least so much to do with what it corrects.
_ABOUT_THE_SAME: Final = 0.4


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a finished turn has to learn from: whose words, and which."""

    turn_id: TurnId
    user_id: UserId
    text: str


@dataclass(frozen=True, slots=True)
class Learned:
    """A fact, how it came, and the entry that it corrects."""

    fact: Fact
    source: Source
    replaces: Entry | None = None


class Learner:
    """Learns from one turn at a time. `ask` begins an answer; `pack` gives vectors; both may be slow."""

    def __init__(
        self,
        *,
        database: Database,
        sealer: Sealer,
        profiles: Profiles,
        ask: Callable[[Request], str],
        pack: Callable[[Sequence[str]], list[bytes | None]],
        nearness: Callable[[str, Sequence[Entry]], Sequence[float]],
        seems_sensitive: Callable[[str], bool],
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._profiles = profiles
        self._ask = ask
        self._pack = pack
        self._nearness = nearness
        self._seems_sensitive = seems_sensitive

    def learn(self, turn_id: TurnId) -> int:
        """Remember what the turn tells about its person; how many facts. Nothing without consent, then and now."""
        try:
            with self._database.read() as session:
                lesson = self._lesson(session, turn_id)
                if lesson is None or not consent.is_given(session, lesson.user_id):
                    return 0
                known = self._profiles.entries(session, lesson.user_id)
            found = self._outright(lesson) + self._from_model(lesson, self._shown(lesson.text, known))
            return self._keep(lesson, self._with_vectors(found), known)
        except KeyShredded:
            return 0

    def _lesson(self, session: Session, turn_id: TurnId) -> Lesson | None:
        rows = session.execute(
            select(Message.id, Message.user_id, Message.body, Turn.user_id)
            .join(Turn, Turn.id == Message.turn_id)
            .join(Conversation, Conversation.id == Turn.conversation_id)
            .where(
                or_(Turn.id == turn_id, Turn.merged_into == turn_id),
                Message.author == Author.USER.value,
                # What is said before others is not taken for what somebody tells of themselves.
                Conversation.is_private.is_(True),
            )
            .order_by(Message.seq)
        ).all()
        texts = [self._sealer.open_text(UserId(owner), Message.body, row, body) for row, owner, body, _ in rows]
        text = "\n".join(text for text in texts if text and not text.startswith("/"))
        return Lesson(turn_id, UserId(rows[0][3]), text) if text else None

    def _outright(self, lesson: Lesson) -> list[Learned]:
        """What needs no model: what they ask to be remembered, sensitive or not, and plain wishes."""
        asked = asked_to_remember(lesson.text)[:_MOST_TOLD]
        found = [Learned(told(what) or Fact(EntryKind.MEMORY, what), Source.TOLD) for what in asked]
        others = (one for one in sentences(lesson.text) if not any(what in one for what in asked))
        stated = ((sentence, fact) for sentence in others if (fact := told(sentence)) is not None)
        for sentence, fact in islice(stated, _MOST_TOLD):
            if not self._is_held_back(sentence, fact):
                found.append(Learned(fact, Source.LEARNED))
        return found

    def _is_held_back(self, sentence: str, fact: Fact) -> bool:
        if is_sensitive(sentence) or is_sensitive(fact.text):
            return True
        return fact.slot is None and self._seems_sensitive(sentence)

    def _shown(self, text: str, known: Sequence[Entry]) -> Sequence[Entry]:
        """What the model is told that is known: as much as it takes, the nearest to the message."""
        if len(known) <= MOST_KNOWN:
            return known
        said = plain_words(text)
        nearness = self._nearness(text, known)
        by_nearness = sorted(
            range(len(known)),
            key=lambda at: (max(nearness[at], overlap(said, plain_words(known[at].fact.text))), known[at].updated_at),
            reverse=True,
        )
        return [known[at] for at in sorted(by_nearness[:MOST_KNOWN])]

    def _from_model(self, lesson: Lesson, known: Sequence[Entry]) -> list[Learned]:
        if not might_tell(lesson.text):
            return []
        request = Request(
            id=f"learn:{lesson.turn_id}",
            messages=prompt_for(lesson.text, [entry.fact.text for entry in known]),
            sampling=Sampling(temperature=0.0, max_tokens=_MOST_TOKENS),
            cache_salt=str(lesson.user_id),
            priority=JOBS_AFTER,
            json_schema=schema(),
        )
        try:
            answer = self._ask(request)
        except EngineError as error:
            log.info("nothing_learned", turn_id=str(lesson.turn_id), reason=type(error).__name__)
            return []
        return [
            Learned(proposal.fact, Source.LEARNED, self._replaced(proposal, known))
            for proposal in proposals(answer, lesson.text, seems_sensitive=self._seems_sensitive)
        ]

    def _replaced(self, proposal: Proposal, known: Sequence[Entry]) -> Entry | None:
        """The entry that the model says is corrected, where the two have anything to do with each other."""
        if not 1 <= proposal.replaces <= len(known):
            return None
        entry = known[proposal.replaces - 1]
        common = overlap(plain_words(proposal.fact.text), plain_words(entry.fact.text))
        return entry if max(common, *self._nearness(proposal.fact.text, [entry])) >= _ABOUT_THE_SAME else None

    def _with_vectors(self, found: Sequence[Learned]) -> list[Learned]:
        packed = self._pack([one.fact.text for one in found]) if found else []
        return [replace(one, fact=replace(one.fact, vector=vector)) for one, vector in zip(found, packed, strict=True)]

    def _keep(self, lesson: Lesson, found: Sequence[Learned], known: Sequence[Entry]) -> int:
        if not found:
            return 0
        kept = 0
        with self._database.begin() as session:
            if not consent.hold(session, lesson.user_id):
                return 0
            for one in found:
                twin = next((entry for entry in known if entry.fact.says_the_same_as(one.fact)), None)
                kept += self._remember(session, lesson, one, twin)
        log.info("learned", turn_id=str(lesson.turn_id), count=kept)
        return kept

    def _remember(self, session: Session, lesson: Lesson, one: Learned, twin: Entry | None) -> bool:
        old = one.replaces
        if old is not None and old != twin and old.fact.key != one.fact.key:
            self._profiles.forget(session, lesson.user_id, old.id)
        fact = twin.fact if twin is not None and one.source is Source.LEARNED else one.fact
        source = twin.source if twin is not None else one.source
        now = self._database.clock.now()
        try:
            self._profiles.remember(session, lesson.user_id, fact, source=source, now=now, turn_id=lesson.turn_id)
        except ProfileFull:
            return False
        return True
