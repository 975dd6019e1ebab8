"""What customers meet: answers, questions back, an honest "I do not know", a person, and a word of satisfaction."""

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from parlour.sdk import (
    Button,
    Buttons,
    CapabilityError,
    Clock,
    Handoff,
    Knowledge,
    Model,
    Reply,
    SharedStore,
    Turn,
    UserStore,
    Vectors,
)
from parlour_customer_service.composing import answer
from parlour_customer_service.counting import Counting
from parlour_customer_service.evidence import Verdict, heading, judge
from parlour_customer_service.learned import Learned, Match
from parlour_customer_service.openings import open_question
from parlour_customer_service.texts import say
from parlour_customer_service.trade import KEEP_OPEN_DAYS, Settings, skill
from parlour_customer_service.words import subjects

_LOOKED_AT: Final = 8
_MOST_WORDS: Final = 8
_MOST_MISSED: Final = 200
_LABEL: Final = 70
_LAST: Final = "last"
# A question that names what it means, made by a button of a question back: "How long? (Returns)".
_MEANT: Final = re.compile(r"^(?P<question>.+?)\s*[(（](?P<meant>[^()（）]+)[)）]$", re.DOTALL)
_THANKS: Final = (
    r"(?:many )?thanks?(?: you)?(?: (?:so|very) much)?|that'?s all|bye|goodbye|that (?:helped|helps)|no more questions"
    r"|谢谢|多谢|感谢|再见|拜拜|没有(?:别的|其他)?问题了|没问题了"
)
_GOODBYE: Final = re.compile(
    rf"\W*(?:ok(?:ay)?\W+|好的\W*)?(?:{_THANKS})(?:\W*(?:{_THANKS}|a lot|for (?:your|the) help|您|你|了|啦))*\W*",
    re.IGNORECASE,
)
_PERSON: Final = re.compile(
    r"\b(?:talk|speak|chat|connect me|put me through|get me)\b.{0,20}"
    r"\b(?:human|person|agent|someone|somebody|staff|representative)\b"
    r"|\b(?:human|live) agent\b|转人工|人工客服|真人|找人工|人工服务",
    re.IGNORECASE,
)

learned = Learned()
counting = Counting()


@dataclass(frozen=True, slots=True)
class Desk:
    """What an answer is made with."""

    turn: Turn
    knowledge: Knowledge
    model: Model
    vectors: Vectors
    mine: UserStore
    shared: SharedStore
    clock: Clock
    settings: Settings

    def say(self, key: str, **values: object) -> str:
        """A text in the person's language."""
        return say(key, self.turn.language, **values)

    async def count(self, *events: str) -> None:
        """Count what happened."""
        await counting.count(self.shared, self.clock.now(), *events)


@skill.answers(
    "What are your opening hours?",
    "How do I return something I bought?",
    "Where is my order?",
    "How much is delivery?",
    "My card does not work, what now?",
    "Can I pay by invoice?",
    "Does the warranty cover this?",
    "I want to talk to a person",
    "Thank you, that helped",
    "你们几点开门？",
    "怎么退货？",
    "我的订单到哪里了？",
    "运费多少钱？",
    "保修多久？",
    "转人工客服",
    "谢谢，没有别的问题了",
)
async def help_customer(  # noqa: PLR0913, PLR0917 (capabilities, each granted by itself)
    turn: Turn,
    knowledge: Knowledge,
    model: Model,
    vectors: Vectors,
    mine: UserStore,
    shared: SharedStore,
    handoff: Handoff,
    clock: Clock,
    settings: Settings,
) -> AsyncIterator[Reply | str]:
    """Answer, ask back, or say that it is not known; at a goodbye, ask for satisfaction."""
    desk = Desk(turn, knowledge, model, vectors, mine, shared, clock, settings)
    if _GOODBYE.fullmatch(turn.text.strip()):
        yield satisfaction(turn.language)
    elif _PERSON.search(turn.text):
        yield await _hand_over(desk, handoff, turn.text)
    else:
        async for piece in _served(desk, turn.text):
            yield piece


@skill.command("ask", "Ask customer service", zh="向客服提问")
async def ask(
    turn: Turn,
    knowledge: Knowledge,
    model: Model,
    vectors: Vectors,
    mine: UserStore,
    shared: SharedStore,
    clock: Clock,
    settings: Settings,
) -> AsyncIterator[Reply | str]:
    """Answer what stands behind the command; with `(…)` at its end, what is meant by it."""
    desk = Desk(turn, knowledge, model, vectors, mine, shared, clock, settings)
    if not turn.text.strip():
        yield desk.say("ask_what", example=desk.say("ask_example"))
        return
    async for piece in _served(desk, turn.text.strip()):
        yield piece


@skill.command("agent", "Talk to a person", zh="转人工客服")
async def agent(
    turn: Turn, mine: UserStore, shared: SharedStore, handoff: Handoff, clock: Clock
) -> AsyncIterator[Reply | str]:
    """Ask for a person, who reads the last question first."""
    last = await mine.get("asked", _LAST)
    summary = turn.text.strip() or (str(last["question"]) if last else "")
    yield await _requested(turn, shared, handoff, clock, summary)


@skill.command(
    "rate", "Say whether the answer was helpful: good or bad", zh="评价回答：good（有帮助）或 bad（没有帮助）"
)
async def rate(turn: Turn, mine: UserStore, shared: SharedStore, clock: Clock) -> AsyncIterator[Reply | str]:
    """Count the rating, once for each question."""
    given = {"good": "good", "bad": "bad", "有帮助": "good", "没有帮助": "bad"}.get(turn.text.strip().lower())
    if given is None:
        yield say("rate_how", turn.language)
        return
    last = await mine.get("asked", _LAST)
    if last and last.get("rated") != given:
        if not last.get("rated"):
            await counting.count(shared, clock.now(), given)
        await mine.put("asked", {**last, "rated": given}, id=_LAST)
    if given == "good":
        yield say("thanks_good", turn.language)
    else:
        yield Buttons(say("thanks_bad", turn.language), (_agent_button(turn.language), _pass_on_button(turn.language)))


@skill.command("passon", "Pass your last question on, without your name", zh="匿名转交您的上一个问题")
async def pass_on(turn: Turn, mine: UserStore, shared: SharedStore, clock: Clock) -> str:
    """Put the last question where admins read it. Only what a person asks for is passed on."""
    last = await mine.get("asked", _LAST)
    if not last or last.get("is_passed_on"):
        return say("nothing_to_pass_on", turn.language)
    await open_question(shared, str(last["question"]), clock.now())
    await mine.put("asked", {**last, "is_passed_on": True}, id=_LAST)
    return say("passed_on", turn.language, days=KEEP_OPEN_DAYS)


async def _served(desk: Desk, text: str) -> AsyncIterator[Reply | str]:
    """The answer to one question, and a note of how it went."""
    found = _MEANT.match(text)
    question, meant = (found["question"], found["meant"]) if found else (text, "")
    passages = await desk.knowledge.search(text, limit=_LOOKED_AT)
    if meant:
        passages = [one for one in passages if heading(one) == meant] or passages
    verdict = judge(
        meant if meant and not any(heading(one) == meant for one in passages) else text,
        await learned.find(meant or question, desk.shared, desk.vectors),
        passages,
        caution=desk.settings.caution,
        asks_back=desk.settings.asks_back and not meant,
    )
    async for piece in _told(desk, question, verdict):
        yield piece


async def _told(desk: Desk, question: str, verdict: Verdict) -> AsyncIterator[Reply | str]:
    outcome = "answered"
    if verdict.learned:
        yield _as_learned(desk, verdict.learned)
    elif verdict.options:
        outcome = "clarified"
        yield _asked_back(desk, question, verdict.options)
    elif verdict.passages:
        async for piece in answer(desk.turn, desk.model, verdict.passages, style=desk.settings.style):
            yield piece
    else:
        outcome = "unknown"
        language = desk.turn.language
        yield Buttons(desk.say("unknown"), (_agent_button(language), _pass_on_button(language)))
    if outcome == "unknown":
        await _miss(desk.mine, question)
    note: dict[str, Any] = {"question": question, "outcome": outcome}
    await desk.mine.put("asked", note, id=_LAST)
    # A question back is part of a question that is still to come, with what was meant.
    await desk.count(*(("clarified",) if outcome == "clarified" else ("asked", outcome)))


async def _miss(mine: UserStore, question: str) -> None:
    """Keep the question's words with the person, the oldest of many given up, to be counted over many people."""
    kept = await mine.all("missed")
    for oldest in kept[: max(0, len(kept) + _MOST_WORDS - _MOST_MISSED)]:
        await mine.delete("missed", oldest["id"])
    for word in subjects(question)[:_MOST_WORDS]:
        await mine.put("missed", {"word": word}, id=hashlib.sha256(word.encode()).hexdigest()[:16])


def _as_learned(desk: Desk, match: Match) -> str:
    return f"{match.answer} [1]\n\n{desk.say('sources')}\n- [1] {desk.say('approved')}: {match.question}"


def _asked_back(desk: Desk, question: str, options: tuple[str, ...]) -> Buttons:
    buttons = tuple(Button(one[:_LABEL], f"/ask {question} ({_plain(one)})") for one in options)
    return Buttons(desk.say("which"), (*buttons, _agent_button(desk.turn.language)))


def _plain(option: str) -> str:
    """Without brackets, which part the question from what is meant."""
    return re.sub(r"[()（）]", " ", option).strip()


async def _hand_over(desk: Desk, handoff: Handoff, text: str) -> Reply | str:
    last = await desk.mine.get("asked", _LAST)
    summary = f"{last['question']}\n{text}" if last else text
    return await _requested(desk.turn, desk.shared, handoff, desk.clock, summary)


async def _requested(turn: Turn, shared: SharedStore, handoff: Handoff, clock: Clock, summary: str) -> Reply | str:
    try:
        before = await handoff.request(summary)
    except CapabilityError:
        return Buttons(say("no_agents", turn.language), (_pass_on_button(turn.language),))
    await counting.count(shared, clock.now(), "handed")
    return say("waiting", turn.language, before=before)


def satisfaction(language: str) -> Buttons:
    """The question whether it helped."""
    buttons = (Button(say("good", language), "/rate good"), Button(say("bad", language), "/rate bad"))
    return Buttons(say("satisfied", language), buttons)


def _agent_button(language: str) -> Button:
    return Button(say("agent", language), "/agent")


def _pass_on_button(language: str) -> Button:
    return Button(say("pass_on", language), "/passon")
