"""What counts as lost, doubled and out of order, against a bot that does each of them."""

from collections.abc import Callable

import pytest

from parlour.bench.fake_telegram import Entry
from parlour.bench.figures import spread
from parlour.bench.talk import Plan, Talk, Talked

Bot = Callable[["Line", int, str], None]


class Line:
    """A fake Telegram without a network: what a person says goes to a bot that may answer at once or later."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._entries: list[Entry] = []
        self.waiting: list[tuple[int, str]] = []

    async def say(self, user: int, text: str) -> int:
        update_id = len(self._entries)
        self._note("user_wrote", chat=user, text=text)
        self._note("served", update_ids=[update_id])
        self._bot(self, user, text)
        return update_id

    async def journal(self, *, after: int, wait_s: float) -> list[Entry]:
        return self._entries[after:]

    def answer(self, user: int, text: str) -> None:
        self._note("bot_sent", chat=user, text=text, message_id=len(self._entries))

    def _note(self, what: str, **details: object) -> None:
        seq = len(self._entries) + 1
        self._entries.append({"seq": seq, "monotonic": float(seq), "what": what, **details})


async def _talk(bot: Bot, *, turns: int = 4, rate: float = 0.0) -> Talked:
    plan = Plan(users=2, turns=turns, warm_up=1, rate=rate, patience_s=0.2, linger_s=0.05)
    return await Talk(Line(bot), plan).run()  # type: ignore[arg-type] # the same two methods


async def test_a_bot_that_answers_everything_once_is_sound() -> None:
    talked = await _talk(Line.answer)

    assert (talked.asked, talked.lost, talked.doubled, talked.misordered) == (8, 0, 0, 0)
    assert len(talked.from_said) == len(talked.from_hand_out) == 8


async def test_an_answer_that_never_comes_is_lost() -> None:
    def forgets(line: Line, user: int, text: str) -> None:
        if not text.startswith("round 3 "):
            line.answer(user, text)

    talked = await _talk(forgets)

    assert (talked.lost, talked.doubled, talked.misordered) == (2, 0, 0)


async def test_an_answer_that_comes_twice_is_doubled() -> None:
    def stutters(line: Line, user: int, text: str) -> None:
        line.answer(user, text)
        if text.startswith("round 2 "):
            line.answer(user, text)

    talked = await _talk(stutters)

    assert (talked.lost, talked.doubled, talked.misordered) == (0, 2, 0)


async def test_an_answer_before_that_to_an_earlier_message_is_misordered() -> None:
    def swaps(line: Line, user: int, text: str) -> None:
        if text.startswith("round 1 "):
            line.waiting.append((user, text))
            return
        line.answer(user, text)
        if text.startswith("round 2 "):
            for late in [one for one in line.waiting if one[0] == user]:
                line.answer(*late)

    talked = await _talk(swaps, rate=2_000.0)

    assert (talked.lost, talked.doubled, talked.misordered) == (0, 0, 2)


def test_a_spread_of_one_to_a_hundred() -> None:
    found = spread([float(value) for value in range(1, 101)])

    assert found is not None
    assert (found.count, found.mean, found.p50, found.largest) == (100, 50.5, 50.5, 100.0)
    assert found.p99 == pytest.approx(99.01)


def test_there_is_no_spread_of_nothing() -> None:
    assert spread([]) is None
