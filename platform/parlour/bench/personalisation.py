"""Does it help to remember people? The same questions with and without a profile, beside the plain model."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from sqlalchemy import select, update

from parlour.bench import sensitive_sentences as sentences
from parlour.bench.errors import BenchError
from parlour.bench.figures import spread
from parlour.bench.personas import PERSONAS, RULES, Check, Persona
from parlour.bench.pipeline import Progress
from parlour.bench.report import Report
from parlour.bootstrap import Platform, platform
from parlour.engines.host import EngineHost
from parlour.engines.protocol import Message as ModelMessage
from parlour.engines.protocol import Request, Sampling
from parlour.from_settings import engine_host
from parlour.people.sensitive import is_sensitive
from parlour.settings import Settings, load
from parlour.store.ids import AccountId, TurnId, UserId
from parlour.store.models import Message, Turn
from parlour.turns.ports import Address, Incoming, IncomingKind, Sender
from parlour.turns.second_look import SecondLook
from parlour.turns.states import Author

TABLE: Final = "The same questions, by path"
COST_TABLE: Final = "What a turn costs"
LEARNING_TABLE: Final = "What is learned from what people say"
FILTER_TABLE: Final = "What is never learned"
_PATHS: Final = ("plain model", "without profile", "with profile")


@dataclass(frozen=True, slots=True)
class PersonalisationOptions:
    """What to run."""

    engine: str
    model: str
    max_tokens: int
    people: int
    is_learning: bool


@dataclass(slots=True)
class _Score:
    """What one path's answers came to."""

    kept: dict[str, list[bool]] = field(default_factory=lambda: {rule: [] for rule in RULES})
    prompt_tokens: list[int] = field(default_factory=list)
    answer_tokens: list[int] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)

    def add(self, checks: Iterable[Check], said: "_Said") -> None:
        for check in checks:
            self.kept[check.rule].append(check.holds(said.text))
        self.prompt_tokens.append(said.prompt_tokens)
        self.answer_tokens.append(said.answer_tokens)
        self.took_ms.append(said.took_ms)


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer and its cost."""

    text: str
    prompt_tokens: int
    answer_tokens: int
    took_ms: float


def run_personalisation(options: PersonalisationOptions, report: Report, progress: Progress) -> None:
    """Run all of it with one engine. Raises `BenchError` and `EngineError` with what is missing."""
    personas = PERSONAS[: options.people]
    with _settings(options) as settings, platform(settings, is_migrating=True) as parts:
        host = engine_host(settings)
        host.start()
        try:
            _compare(personas, House(parts, host), report, progress)
            look = SecondLook(lambda: parts.knowledge.embedder).is_like_sensitive
            _filter(report, House(parts, host) if options.is_learning else None, look, progress)
            if options.is_learning:
                _learning(personas, House(parts, host), report, progress)
        finally:
            host.close()


class House:
    """The whole path in one thread: intake, answer and learning as they are, without a broker between them."""

    def __init__(self, parts: Platform, host: EngineHost) -> None:
        self._parts = parts
        self._host = host
        self._answerer = parts.answerer(host)
        self._learner = parts.learner(host)
        self._account: AccountId = parts.accounts.register("terminal", "bench", "Benchmark")

    def say(self, who: str, text: str, *, kind: IncomingKind = IncomingKind.MESSAGE, chat: str | None = None) -> TurnId:
        """Somebody writes; the turn. Raises `BenchError`."""
        incoming = Incoming(
            account_id=self._account,
            event_id=uuid4().hex,
            kind=kind,
            address=Address(chat=chat or uuid4().hex),
            sender=Sender(external_id=who, name=who),
            text=text,
            message_key=None,
            sent_at=self._parts.clock.now(),
        )
        taken = self._parts.intake.receive(incoming)
        if taken.turn_id is None:
            raise BenchError(f"a message was not taken in but {taken.verdict}")
        return taken.turn_id

    def command(self, who: str, *commands: str) -> None:
        """Somebody gives commands."""
        for command in commands:
            self.say(who, command, kind=IncomingKind.COMMAND)

    def agree(self, who: str) -> None:
        """Somebody is asked whether they may be remembered, and agrees."""
        self.command(who, "privacy yes", "privacy yes")

    def asked(self, who: str, question: str) -> _Said:
        """Somebody asks, in a conversation of its own, and is answered."""
        began = time.monotonic()
        turn_id = self.say(who, question)
        self._answerer.answer(turn_id)
        took_ms = (time.monotonic() - began) * 1_000
        with self._parts.database.read() as session:
            turn = session.get_one(Turn, turn_id)
            wanted = select(Message).where(Message.turn_id == turn_id, Message.author == Author.ASSISTANT.value)
            row = session.scalars(wanted).one_or_none()
        if row is None:
            raise BenchError(f"a turn ended as {turn.state} ({turn.error}); the log above says why")
        text = self._parts.sealer.open_text(UserId(row.user_id), Message.body, row.id, row.body)
        return _Said(text, turn.prompt_tokens, turn.completion_tokens, took_ms)

    def plain(self, question: str) -> _Said:
        """The question alone, asked of the bare engine."""
        engine = self._parts.settings.engine
        sampling = Sampling(temperature=0.0, repetition_penalty=engine.repetition_penalty, max_tokens=engine.max_tokens)
        began, text, last = time.monotonic(), "", None
        with self._host.stream(Request(uuid4().hex, [ModelMessage("user", question)], sampling)) as pieces:
            for piece in pieces:
                text, last = text + piece.text, piece
        took_ms = (time.monotonic() - began) * 1_000
        return _Said(text, last.prompt_tokens if last else 0, last.completion_tokens if last else 0, took_ms)

    def learned(self, who: str, message: str) -> list[str]:
        """What is remembered of somebody after they wrote this and nothing else."""
        turn_id = self.say(who, message)
        self._learner.learn(turn_id)
        with self._parts.database.begin() as session:
            user_id = UserId(session.get_one(Turn, turn_id).user_id)
            found = [entry.fact.text for entry in self._parts.profiles.entries(session, user_id)]
            self._parts.profiles.forget_all(session, user_id)
            session.execute(update(Turn).where(Turn.id == turn_id).values(state="dropped"))
        return found


def _compare(personas: Sequence[Persona], house: House, report: Report, progress: Progress) -> None:
    scores = {path: _Score() for path in _PATHS}
    progress.begin("asking", sum(len(persona.asks) for persona in personas) * len(_PATHS))
    for persona in personas:
        known, stranger = f"known {persona.name}", f"stranger {persona.name}"
        house.agree(known)
        house.command(known, *(f"memory add {text}" for text in persona.profile))
        house.command(stranger, "privacy no")
        if persona.language:
            for who in (known, stranger):
                house.command(who, f"language {persona.language}")
        # Once each before it counts: what the engine has read once it reads faster.
        for who in (known, stranger):
            house.asked(who, "Hello!")
        for question, checks in persona.asks:
            ways: Mapping[str, Callable[[], _Said]] = {
                "plain model": lambda asked=question: house.plain(asked),  # type: ignore[misc]
                "without profile": lambda asked=question, who=stranger: house.asked(who, asked),  # type: ignore[misc]
                "with profile": lambda asked=question, who=known: house.asked(who, asked),  # type: ignore[misc]
            }
            for path, ask in ways.items():
                scores[path].add(checks, ask())
                progress.step()
    for path, score in scores.items():
        report.add(TABLE, _row(path, score))
        report.add(COST_TABLE, _cost(path, score))


def _row(path: str, score: _Score) -> dict[str, object]:
    every = [kept for rule in RULES for kept in score.kept[rule]]
    shown = {rule: f"{sum(kept)} of {len(kept)}" for rule, kept in score.kept.items()}
    return {"path": path, **shown, "all": f"{sum(every)} of {len(every)}", "share": round(sum(every) / len(every), 3)}


def _cost(path: str, score: _Score) -> dict[str, object]:
    took = spread(score.took_ms)
    if took is None:
        raise BenchError("nothing was answered")
    count = len(score.prompt_tokens)
    return {
        "path": path,
        "answers": count,
        "prompt_tokens": round(sum(score.prompt_tokens) / count, 1),
        "answer_tokens": round(sum(score.answer_tokens) / count, 1),
        "p50_ms": round(took.p50, 1),
        "p90_ms": round(took.p90, 1),
    }


def _learning(personas: Sequence[Persona], house: House, report: Report, progress: Progress) -> None:
    said = [(persona, message, word) for persona in personas for message, word in persona.says]
    progress.begin("learning", len(said))
    counts = {language: [0, 0, 0, 0] for language in ("en", "zh")}
    for persona, message, word in said:
        who = f"learned {persona.name}"
        house.agree(who)
        found = house.learned(who, message)
        hits = [text for text in found if word and word.casefold() in text.casefold()]
        count = counts[persona.language or "en"]
        count[0] += bool(word)
        count[1] += bool(hits)
        count[2] += len(found) - len(hits)
        count[3] += not word
        progress.step()
    for language, (stated, learned, others, empty) in counts.items():
        if stated:
            report.add(
                LEARNING_TABLE,
                {
                    "language": language,
                    "stated": stated,
                    "learned": learned,
                    "other_entries": others,
                    "idle_messages": empty,
                },
            )


def _filter(report: Report, house: House | None, seems_sensitive: Callable[[str], bool], progress: Progress) -> None:
    """How often sensitive sentences are held back, and harmless ones with them: by rules, and with the second look."""
    sets = (
        ("named, looked at", sentences.LOOKED_AT, sentences.HARMLESS_LOOKED_AT),
        ("named, held out", sentences.HELD_OUT, sentences.HARMLESS_HELD_OUT),
        ("in a roundabout way, seen before the second look's examples", sentences.ROUNDABOUT, ()),
        ("in a roundabout way, held out", sentences.UNNAMED, sentences.HARMLESS_UNNAMED),
    )
    for name, sensitive, harmless in sets:
        every = [one for group in sensitive.values() for one in group]
        let_through = [one for one in every if not is_sensitive(one)]
        passed = [one for one in let_through if not seems_sensitive(one)]
        by_rules = [one for one in harmless if is_sensitive(one)]
        held = [one for one in harmless if is_sensitive(one) or seems_sensitive(one)]
        kept = _kept(house, passed, progress) if house is not None else None
        report.add(
            FILTER_TABLE,
            {
                "sentences": name,
                "sensitive": len(every),
                "held_back_by_rules": len(every) - len(let_through),
                "held_back": len(every) - len(passed),
                "learned_in_the_end": kept,
                "harmless": len(harmless),
                "harmless_held_back_by_rules": len(by_rules),
                "harmless_held_back": len(held),
            },
        )


def _kept(house: House, passed: Sequence[str], progress: Progress) -> int:
    """How many of what the rules let pass leave anything behind: the model proposes, and is not always believed."""
    progress.begin("trying to learn", max(1, len(passed)))
    kept = 0
    for one in passed:
        house.agree("sensitive")
        kept += bool(house.learned("sensitive", one))
        progress.step()
    return kept


@contextmanager
def _settings(options: PersonalisationOptions) -> Iterator[Settings]:
    """This installation's engine over fresh data, at temperature 0, with the usual settings for remembering."""
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as folder:
        yield load(
            data_dir=Path(folder) / "data",
            database={"url": ""},
            keys={"url": "", "file": None},
            broker={"url": ""},
            bus={"url": ""},
            access={"policy": "open", "messages_per_minute": 1_000_000},
            personalisation={"is_on": True, "is_learning": options.is_learning},
            engine={
                "kind": options.engine,
                "model": options.model,
                "max_concurrency": 1,
                "max_tokens": options.max_tokens,
                "temperature": 0.0,
            },
        )
