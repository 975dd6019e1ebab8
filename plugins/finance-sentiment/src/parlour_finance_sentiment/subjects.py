"""What news is about: companies by ticker and name, in English and Chinese, and topics."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from parlour_finance_sentiment.items import Language

ALL: Final = "all"
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]")
# A ticker alone tells a company only where it cannot be a word or a number of something else.
_SHORTEST_BARE_TICKER: Final = 3
_LONGEST_NAME: Final = 60
_UNITS: Final = "万亿元股手%年月日"


class BadCompany(Exception):
    """A line of a list of companies that cannot be read."""


@dataclass(frozen=True, slots=True)
class Company:
    """A company: its ticker, and the names by which news call it."""

    ticker: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """A kind of news."""

    name: str
    chinese: str
    words: tuple[str, ...]


def read_company(line: str) -> Company:
    """The company in a line: `NVDA | Nvidia | 英伟达`. Raises `BadCompany`."""
    parts = [part.strip() for part in line.split("|")]
    if not parts[0] or len(parts) < 2 or not all(0 < len(part) <= _LONGEST_NAME for part in parts):  # noqa: PLR2004
        raise BadCompany(f"{line[:80]!r} is no company. Write its ticker, then its names: NVDA | Nvidia | 英伟达")
    return Company(parts[0].upper(), tuple(parts[1:]))


def read_companies(lines: Iterable[str]) -> tuple[list[Company], list[str]]:
    """The companies in lines, and what is wrong with lines that are none, by their numbers."""
    good, problems = [], []
    for number, line in enumerate(lines, 1):
        try:
            good.append(read_company(line))
        except BadCompany as error:
            problems.append(f"Line {number}: {error}")
    return good, problems


class Subjects:
    """Finds companies and topics in texts, and what people mean when they name one."""

    def __init__(self, companies: Iterable[Company], topics: Sequence[Topic]) -> None:
        self._companies: dict[str, Company] = {}
        for company in companies:
            before = self._companies.get(company.ticker, Company(company.ticker, ()))
            self._companies[company.ticker] = Company(company.ticker, (*before.names, *company.names))
        self._topics = {topic.name: topic for topic in topics}
        self._ticker_of = {
            name: company.ticker for company in self._companies.values() for name in (company.ticker, *company.names)
        }
        self._names = re.compile("|".join(_pattern(name) for name in sorted(self._written(), key=len, reverse=True)))
        self._topic_words = {word: topic.name for topic in topics for word in topic.words}
        chinese = sorted((word for word in self._topic_words if _CHINESE.search(word)), key=len, reverse=True)
        self._chinese_topics = re.compile("|".join(map(re.escape, chinese)))

    def companies_in(self, text: str) -> tuple[str, ...]:
        """The tickers of the companies that a text names, in its order."""
        shouts = text.isupper()
        found = [hit[0] for hit in self._names.finditer(text)]
        tickers = [self._ticker_of[name.lstrip("$")] for name in found if not (shouts and name in self._companies)]
        return tuple(dict.fromkeys(tickers))

    def topics_in(self, text: str, language: Language) -> tuple[str, ...]:
        """The topics of a text, in its order."""
        words = (
            self._chinese_topics.findall(text) if language == "zh" else re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower())
        )
        return tuple(dict.fromkeys(self._topic_words[word] for word in words if word in self._topic_words))

    def meant(self, said: str) -> str | None:
        """The subject that a person names: a ticker, a topic, or `all`; None where it is none of them."""
        plain = said.strip().lstrip("$").casefold()
        if plain in {ALL, "everything", "全部", "所有"}:
            return ALL
        return self._known().get(plain)

    def near(self, said: str) -> list[str]:
        """What may have been meant instead."""
        return difflib.get_close_matches(said.strip().casefold(), self._known(), n=3, cutoff=0.6)

    def shown(self, subject: str, language: str) -> str:
        """The subject for people: `NVDA (Nvidia)`, `law`."""
        if topic := self._topics.get(subject):
            return topic.chinese if language == "zh" else topic.name
        if company := self._companies.get(subject):
            names = [name for name in company.names if bool(_CHINESE.search(name)) == (language == "zh")]
            return f"{subject} ({(names or list(company.names))[0]})"
        return {"zh": "全部新闻"}.get(language, "all news") if subject == ALL else subject

    def _known(self) -> Mapping[str, str]:
        topics = {name: topic.name for topic in self._topics.values() for name in (topic.name, topic.chinese)}
        return {name.casefold(): subject for name, subject in {**self._ticker_of, **topics}.items()}

    def _written(self) -> Iterable[str]:
        for name in self._ticker_of:
            is_ticker = name in self._companies
            if not is_ticker or (len(name) >= _SHORTEST_BARE_TICKER):
                yield name
            if is_ticker and name.isalpha():
                yield f"${name}"


def _pattern(name: str) -> str:
    """A name as it stands in a text: Chinese ones anywhere, others as whole words in this very case."""
    if _CHINESE.search(name):
        return re.escape(name)
    behind = rf"(?![\w{_UNITS}]|[.,]\d)" if name[-1].isdigit() else r"(?![A-Za-z0-9_])"
    return rf"(?<![A-Za-z0-9_.$]){re.escape(name)}{behind}"


@cache
def shipped_companies() -> tuple[Company, ...]:
    """The companies that come with the skill."""
    return tuple(read_company(line) for line in _lines("companies.txt"))


@cache
def shipped_topics() -> tuple[Topic, ...]:
    """The topics that come with the skill."""
    parted = [[part.strip() for part in line.split("|")] for line in _lines("topics.txt")]
    return tuple(Topic(name, chinese, tuple(words.split())) for name, chinese, words in parted)


def _lines(name: str) -> list[str]:
    text = (files("parlour_finance_sentiment") / "data" / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
