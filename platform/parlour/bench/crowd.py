"""Many people who each ask one question after another, and what a run of theirs comes to."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

# Answers one question, given the person and the question's number.
Ask = Callable[[int, int], Awaitable["Answered"]]


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: its length, and how long its first words took."""

    completion_tokens: int
    first_token_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a crowd."""

    answers: Sequence[Answered]
    over_s: float

    @property
    def tokens(self) -> int:
        """Tokens of all answers."""
        return sum(answer.completion_tokens for answer in self.answers)

    @property
    def tokens_per_s(self) -> float:
        """Tokens a second, from the first question to the last answer."""
        return self.tokens / self.over_s


async def let_ask(people: int, questions: int, ask: Ask, *, on_answer: Callable[[], None] = lambda: None) -> Run:
    """All people ask at once, each the next question when the last one is answered."""

    async def one(person: int) -> list[Answered]:
        answers = []
        for number in range(questions):
            answers.append(await ask(person, number))
            on_answer()
        return answers

    started = time.monotonic()
    answered = await asyncio.gather(*(one(person) for person in range(people)))
    return Run([answer for answers in answered for answer in answers], time.monotonic() - started)
