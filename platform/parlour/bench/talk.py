"""People talking to a bot: who says what when, and what comes back. Counts what is lost, doubled or out of order."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from parlour.bench.fake_telegram import Entry, TelegramLine

# Some fifty letters, as much as a person types; the first words make every text unique.
_TEXT: Final = "round {round} of person {user}: when does the next train to the coast leave?"
_FIRST_USER: Final = 1_000
_JOURNAL_PAUSE_S: Final = 0.002


@dataclass(frozen=True, slots=True)
class Plan:
    """How people talk: each waits for the answer before speaking on, or, with `rate`, all together speak at that rate.

    `patience_s`: how long without any answer until the rest counts as lost. `linger_s`: how long to watch for answers
    that come twice.
    """

    users: int
    turns: int
    warm_up: int = 3
    rate: float = 0.0
    seed: int = 0
    patience_s: float = 30.0
    linger_s: float = 3.0


@dataclass(slots=True)
class Exchange:
    """One message and its answers. Times are the fake's monotonic clock, in seconds."""

    user: int
    text: str
    said_at: float = 0.0
    update_id: int = 0
    answered: list[tuple[float, int]] = field(default_factory=list)
    is_answered: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Talked:
    """What a talk came to. Durations in seconds; `from_hand_out` begins when the bot was given the update."""

    asked: int
    from_said: list[float]
    from_hand_out: list[float]
    over_s: float
    lost: int
    doubled: int
    misordered: int

    @property
    def turns_per_s(self) -> float:
        """Answers per second, from the first question to the last answer."""
        return len(self.from_said) / self.over_s if self.over_s > 0 else 0.0


class Talk:
    """One crowd of people at one fake Telegram."""

    def __init__(self, line: TelegramLine, plan: Plan, *, on_answer: Callable[[], None] = lambda: None) -> None:
        self._line = line
        self._plan = plan
        self._on_answer = on_answer
        self._random = random.Random(plan.seed)  # noqa: S311 (arrivals, not secrets)
        self._open: dict[tuple[int, str], Exchange] = {}
        self._handed_out: dict[int, float] = {}
        self._seq = 0
        self._last_answer = 0.0

    async def run(self, *, before_measuring: Callable[[], None] = lambda: None) -> Talked:
        """Warm up, measure, watch for stragglers. Everything said in the warm-up counts for losses too."""
        listening = asyncio.create_task(self._listen())
        try:
            users = range(_FIRST_USER, _FIRST_USER + self._plan.users)
            await self._converse(users, 0, self._plan.warm_up)
            before_measuring()
            measured = await self._speak(users)
            await self._wait_for(list(self._open.values()))
            await asyncio.sleep(self._plan.linger_s)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        return self._sum_up(measured)

    async def _speak(self, users: range) -> list[Exchange]:
        first, last = self._plan.warm_up, self._plan.warm_up + self._plan.turns
        if self._plan.rate > 0:
            return await self._speak_at_rate(users, first, last)
        return await self._converse(users, first, last)

    async def _converse(self, users: range, first: int, last: int) -> list[Exchange]:
        """Every person says their next line when the last one was answered."""

        async def one(user: int) -> list[Exchange]:
            said = []
            for number in range(first, last):
                exchange = await self._say(user, number)
                said.append(exchange)
                await self._wait_for([exchange])
            return said

        return [exchange for said in await asyncio.gather(*map(one, users)) for exchange in said]

    async def _speak_at_rate(self, users: range, first: int, last: int) -> list[Exchange]:
        """Lines come as a Poisson process, whatever was answered: a slow bot gets no less to do."""
        loop = asyncio.get_running_loop()
        at, saying = loop.time(), []
        for number in range(first, last):
            for user in self._random.sample(users, len(users)):
                at += self._random.expovariate(self._plan.rate)
                await asyncio.sleep(max(0.0, at - loop.time()))
                saying.append(asyncio.create_task(self._say(user, number)))
        return list(await asyncio.gather(*saying))

    async def _say(self, user: int, number: int) -> Exchange:
        exchange = Exchange(user, _TEXT.format(round=number, user=user))
        self._open[user, exchange.text] = exchange
        self._last_answer = max(self._last_answer, time.monotonic())
        exchange.update_id = await self._line.say(user, exchange.text)
        return exchange

    async def _wait_for(self, exchanges: list[Exchange]) -> None:
        """Wait for answers, as long as any come at all."""
        for exchange in exchanges:
            while not exchange.is_answered.is_set():
                left = self._last_answer + self._plan.patience_s - time.monotonic()
                if left <= 0:
                    return
                try:
                    async with asyncio.timeout(min(left, 1.0)):
                        await exchange.is_answered.wait()
                except TimeoutError:
                    continue

    async def _listen(self) -> None:
        while True:
            entries = await self._line.journal(after=self._seq, wait_s=5)
            for entry in entries:
                self._seq = int(entry["seq"])
                self._note(entry)
            # The fake shares the machine with what is measured: asking it less often leaves more to that.
            await asyncio.sleep(_JOURNAL_PAUSE_S)

    def _note(self, entry: Entry) -> None:
        match entry["what"]:
            case "user_wrote":
                exchange = self._open.get((entry["chat"], entry["text"]))
                if exchange is not None:
                    exchange.said_at = entry["monotonic"]
            case "served":
                for update_id in entry["update_ids"]:
                    self._handed_out.setdefault(update_id, entry["monotonic"])
            case "bot_sent":
                self._answer(entry)

    def _answer(self, entry: Entry) -> None:
        exchange = self._open.get((entry["chat"], entry["text"]))
        if exchange is None:
            return
        exchange.answered.append((entry["monotonic"], entry["message_id"]))
        self._last_answer = time.monotonic()
        if not exchange.is_answered.is_set():
            exchange.is_answered.set()
            self._on_answer()

    def _sum_up(self, measured: list[Exchange]) -> Talked:
        answered = [one for one in measured if one.answered]
        ends = [one.answered[0][0] for one in answered]
        every = list(self._open.values())
        return Talked(
            asked=len(measured),
            from_said=[end - one.said_at for one, end in zip(answered, ends, strict=True)],
            from_hand_out=[
                end - self._handed_out[one.update_id]
                for one, end in zip(answered, ends, strict=True)
                if one.update_id in self._handed_out
            ],
            over_s=max(ends) - min(one.said_at for one in answered) if answered else 0.0,
            lost=sum(not one.answered for one in every),
            doubled=sum(len(one.answered) > 1 for one in every),
            misordered=_misordered(every),
        )


def _misordered(exchanges: list[Exchange]) -> int:
    """Answers that stand in their chat before the answer to an earlier message."""
    by_user: dict[int, list[Exchange]] = {}
    for exchange in exchanges:
        if exchange.answered:
            by_user.setdefault(exchange.user, []).append(exchange)
    wrong = 0
    for said in by_user.values():
        said.sort(key=lambda one: one.update_id)
        places = [one.answered[0][1] for one in said]
        wrong += sum(later < earlier for earlier, later in pairwise(places))
    return wrong
