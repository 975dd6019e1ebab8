"""The loop that polls: what it hands on together, and when it rests."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from parlour.channels.telegram_polling import Polling
from parlour.store.errors import DatabaseUnavailable


class Loop:
    """A polling loop over answers of a server: what it did, in order. It ends when they do."""

    def __init__(self, *answers: list[int]) -> None:
        self._answers = list(answers)
        self._failures: dict[int, list[Exception]] = {}
        self.did: list[Any] = []

    def fail(self, update_id: int, *errors: Exception) -> None:
        """Have the update fail, once with each."""
        self._failures[update_id] = list(errors)

    async def run(self) -> list[Any]:
        polling = Polling(
            fetch=self._fetch, take=self._take, confirmed=self._confirmed, rejected=self._rejected, sleep=self._sleep
        )
        with pytest.raises(asyncio.CancelledError):
            await polling.run()
        return self.did

    async def _fetch(self, offset: int | None) -> list[dict[str, Any]]:
        self.did.append(f"from {offset}")
        if not self._answers:
            raise asyncio.CancelledError
        return [{"update_id": update_id} for update_id in self._answers.pop(0)]

    async def _take(self, updates: Sequence[dict[str, Any]]) -> None:
        ids = [update["update_id"] for update in updates]
        for update_id in ids:
            if failures := self._failures.get(update_id):
                raise failures.pop(0)
        self.did.append(ids)

    async def _confirmed(self, update_id: int) -> None:
        self.did.append(f"until {update_id}")

    async def _rejected(self) -> None:
        self.did.append("rejected")

    async def _sleep(self, seconds: float) -> None:
        self.did.append("rests")


async def test_updates_that_came_together_are_taken_together_and_confirmed_then() -> None:
    """G1. And behind them it rests, so that those of a crowd come together; after nothing it asks again at once."""
    assert await Loop([8, 7, 9], []).run() == [
        *("from None", [7, 8, 9], "until 9", "rests"),
        *("from 10", "from None"),
    ]


async def test_where_one_fails_each_is_taken_by_itself() -> None:
    loop = Loop([7, 8, 9])
    loop.fail(8, *[ValueError()] * 6)

    did = await loop.run()

    assert [one for one in did if one != "rests"] == ["from None", [7], [9], "until 9", "from 10"]


async def test_all_wait_together_while_the_database_is_away() -> None:
    loop = Loop([7, 8])
    loop.fail(8, *[DatabaseUnavailable("away")] * 2)

    assert await loop.run() == ["from None", "rests", "rests", [7, 8], "until 8", "rests", "from 9"]
