"""The live bus. Redis's twin passes the same tests in the integration tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from parlour.store.ids import AccountId, ConversationId, TurnId, new_id
from parlour.turns.bus import InProcessBus, _decode, _encode
from parlour.turns.ports import Frame, Live, LiveBus
from tests.support.stage import until

ONE, ELSEWHERE = AccountId(new_id()), AccountId(new_id())


def live(account_id: AccountId = ONE, body: bytes = b"\x00sealed\xff") -> Live:
    return Live(Frame.DRAFT, account_id, ConversationId(new_id()), TurnId(new_id()), body)


@pytest.fixture
def bus() -> LiveBus:
    return InProcessBus()


@asynccontextmanager
async def heard(bus: LiveBus, accounts: Sequence[AccountId] = (ONE,)) -> AsyncIterator["Heard"]:
    """What a subscriber hears meanwhile; returns when it listens."""
    frames: list[Live] = []

    async def listen() -> None:
        async for frame in bus.subscribe(accounts):
            frames.append(frame)  # noqa: PERF401 (each is looked at as it comes)

    task = asyncio.create_task(listen())
    probe = live(accounts[0])

    def is_listening() -> bool:
        bus.publish(probe)
        return probe in frames

    await until(is_listening, "the subscription")
    try:
        yield Heard(frames, probe)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Heard:
    """The frames heard, without the probe that showed that somebody listens."""

    def __init__(self, frames: list[Live], probe: Live) -> None:
        self._frames, self._probe = frames, probe

    def all(self) -> list[Live]:
        return [frame for frame in self._frames if frame != self._probe]


async def test_a_frame_comes_whole_to_everybody_who_listens(bus: LiveBus) -> None:
    sent = live()
    async with heard(bus) as first, heard(bus) as second:
        await asyncio.to_thread(bus.publish, sent)
        await until(lambda: sent in first.all() and sent in second.all())


async def test_frames_of_other_accounts_are_not_heard(bus: LiveBus) -> None:
    async with heard(bus) as frames:
        bus.publish(live(ELSEWHERE))
        mine = live()
        bus.publish(mine)
        await until(lambda: mine in frames.all())

    assert frames.all() == [mine]


async def test_frames_come_in_order(bus: LiveBus) -> None:
    sent = [live(body=str(number).encode()) for number in range(100)]
    async with heard(bus) as frames:
        for frame in sent:
            bus.publish(frame)
        await until(lambda: len(frames.all()) == 100)

    assert frames.all() == sent


def test_nobody_listening_is_no_fault(bus: LiveBus) -> None:
    bus.publish(live())


async def test_a_subscriber_that_does_not_keep_up_loses_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parlour.turns.bus._BUFFERED", 3)
    bus = InProcessBus()
    frames = bus.subscribe([ONE])
    first = asyncio.ensure_future(anext(frames))
    await asyncio.sleep(0)
    sent = [live(body=str(number).encode()) for number in range(10)]
    for frame in sent:
        bus.publish(frame)
    await asyncio.sleep(0)

    received = [await first, await anext(frames), await anext(frames)]

    assert received == sent[-3:]


async def test_a_subscriber_that_went_away_is_forgotten() -> None:
    bus = InProcessBus()
    async with heard(bus):
        assert len(bus._subscribers) == 1

    await until(lambda: not bus._subscribers)


def test_a_frame_survives_its_journey() -> None:
    sent = live()

    assert _decode(_encode(sent)) == sent


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"null", b"[1,2]", b"\xff\xfe", b'["draft","x","y","z",""]', b'["draft",1,2,3,4]', 7, None]
)
def test_what_is_no_frame_is_passed_over(data: object) -> None:
    """Whoever reaches Redis can write there."""
    assert _decode(data) is None  # type: ignore[arg-type]
