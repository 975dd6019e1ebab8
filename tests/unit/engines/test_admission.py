"""So many answers run, so many wait by priority, the rest are told to come later."""

import asyncio

import pytest

from parlour.engines.admission import Admission
from parlour.engines.errors import EngineBusy
from parlour.engines.protocol import JOBS_AFTER, PEOPLE_FIRST


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_places_are_given_until_there_are_none() -> None:
    admission = Admission(places=2, max_queued=0)

    await admission.enter(PEOPLE_FIRST)
    await admission.enter(PEOPLE_FIRST)

    with pytest.raises(EngineBusy, match="2 answers run"):
        await admission.enter(PEOPLE_FIRST)
    admission.leave()
    await admission.enter(PEOPLE_FIRST)


async def test_people_go_before_jobs_and_among_equals_the_first_goes_first() -> None:
    admission = Admission(places=1, max_queued=10)
    await admission.enter(PEOPLE_FIRST)
    order: list[str] = []

    async def wait(name: str, priority: int) -> None:
        await admission.enter(priority)
        order.append(name)
        admission.leave()

    async with asyncio.TaskGroup() as waiting:
        for name, priority in [("job", JOBS_AFTER), ("first", PEOPLE_FIRST), ("second", PEOPLE_FIRST)]:
            waiting.create_task(wait(name, priority))
            await settled()
        admission.leave()

    assert order == ["first", "second", "job"]


async def test_who_stops_waiting_leaves_the_line() -> None:
    admission = Admission(places=1, max_queued=1)
    await admission.enter(PEOPLE_FIRST)
    gone = asyncio.create_task(admission.enter(PEOPLE_FIRST))
    await settled()

    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)

    waiting = asyncio.create_task(admission.enter(PEOPLE_FIRST))
    await settled()
    admission.leave()
    await waiting


async def test_a_place_given_to_one_who_just_left_goes_to_the_next() -> None:
    admission = Admission(places=1, max_queued=2)
    await admission.enter(PEOPLE_FIRST)
    gone, next_one = (asyncio.create_task(admission.enter(PEOPLE_FIRST)) for _ in range(2))
    await settled()

    admission.leave()
    gone.cancel()

    await asyncio.gather(gone, return_exceptions=True)
    await next_one
