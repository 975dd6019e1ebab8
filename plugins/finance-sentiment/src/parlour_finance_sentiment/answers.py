"""Questions about the news: answered by the model from the items that fit, each of them named."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Annotated, Final

from parlour.sdk import CapabilityError, Clock, Model, Passage, Reply, SharedStore, Turn, UserStore
from parlour_finance_sentiment.alerts import listed
from parlour_finance_sentiment.definition import Settings, skill, subjects_of
from parlour_finance_sentiment.desk import Desk, advice
from parlour_finance_sentiment.items import LABELS, Judged, language_of
from parlour_finance_sentiment.shelf import Shelf
from parlour_finance_sentiment.subjects import Subjects
from parlour_finance_sentiment.trend import mood
from parlour_finance_sentiment.watching import is_about

DAYS: Final = 14
_MOST_ITEMS: Final = 12
_LISTED: Final = 8
_WORD: Final = re.compile(r"[a-z]{3,}|[\u3400-\u9fff]{2}")
_ROLE: Final = (
    "You answer from the news items given to you alone, and name the source of each thing you say. Where they do not "
    "tell, say so. Give no investment advice: do not tell anyone to buy, sell or hold, and predict no price."
)


@skill.answers(
    "Why is Tesla in the news?",
    "How is the news on Apple?",
    "What is the market saying about Nvidia?",
    "Is there bad news about Boeing today?",
    "What happened to bank stocks this week?",
    "Show me the sentiment on oil companies",
    "特斯拉最近有什么负面新闻？",
    "英伟达的新闻情绪怎么样？",
    "今天有哪些利空消息？",
    "茅台为什么上新闻？",
)
async def ask(
    turn: Turn, model: Model, shared: SharedStore, mine: UserStore, clock: Clock, settings: Settings
) -> AsyncIterator[Reply | str]:
    """A question about the news, without a command."""
    if note := await advice(turn, mine):
        yield note
    async for piece in answered(Desk(turn, Shelf(shared), clock.now(), settings), model, turn.text):
        yield piece


@skill.tool
async def news_sentiment(
    company: Annotated[str, "A ticker, a company's name or a topic"],
    shared: SharedStore,
    clock: Clock,
    settings: Settings,
) -> str:
    """What financial news of the last two weeks say about a company or topic: counts, mood and headlines."""
    shelf, now = Shelf(shared), clock.now()
    subject = (await subjects_of(shelf, settings)).meant(company)
    if subject is None:
        return f"No company or topic {company[:60]!r} is known."
    found = [one for one in await shelf.since(now - timedelta(days=DAYS), now) if is_about(one, subject)]
    negative, neutral, positive = (sum(one.label == label for one in found) for label in LABELS)
    told = (
        f"{negative} negative, {neutral} neutral, {positive} positive; mood {mood((negative, neutral, positive)):+.2f}."
    )
    return f"{told}\n{listed(found[:_LISTED])}"


async def answered(desk: Desk, model: Model, question: str) -> AsyncIterator[str]:
    """The answer in pieces; the items themselves where the model cannot be asked."""
    if not question:
        yield desk.say("say_question")
        return
    known = await desk.shelf.since(desk.now - timedelta(days=DAYS), desk.now)
    found = fitting(known, question, await desk.subjects())
    if not found:
        yield desk.say("none_known", days=DAYS)
        return
    try:
        async for piece in model.stream(question, grounded_in=[_passage(one) for one in found], system=_ROLE):
            yield piece
    except CapabilityError:
        yield desk.say("model_away")
    yield f"\n\n{listed(found[:_LISTED])}"


def fitting(known: Sequence[Judged], question: str, subjects: Subjects) -> list[Judged]:
    """The items that fit a question best: those of its companies and topics, then those that share its words."""
    companies = {*subjects.companies_in(question)}
    topics = {*subjects.topics_in(question, language_of(question))}
    words = _words(question)
    if {"bad", "negative", "利空", "负面"} & words:
        known = [one for one in known if one.label == "negative"]
    scored = []
    for one in known:
        score = 4 * len(companies & {*one.entities}) + 2 * len(topics & {*one.topics})
        score += 0 if companies and not companies & {*one.entities} else len(words & _words(one.item.title))
        scored.append((score, one.item.at.timestamp(), one))
    fits = sorted((one for one in scored if one[0] > 0), key=lambda one: one[:2], reverse=True)
    return [one for _, _, one in fits[:_MOST_ITEMS]]


def _words(text: str) -> set[str]:
    plain = text.lower()
    pairs = {plain[at : at + 2] for at in range(len(plain) - 1)}
    return {word for word in _WORD.findall(plain) if word.isascii()} | {pair for pair in pairs if _WORD.fullmatch(pair)}


def _passage(judged: Judged) -> Passage:
    item = judged.item
    return Passage(f"{item.title} ({judged.label})", item.link or item.source or "pasted", f"{item.at:%Y-%m-%d %H:%M}")
