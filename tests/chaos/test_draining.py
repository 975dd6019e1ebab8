"""A worker told to end in the middle of an answer that takes longer than it may."""

import pytest

from tests.chaos.crowd import Crowd
from tests.chaos.house import House
from tests.fakes.telegram import FakeTelegram
from tests.processes import until


@pytest.mark.timeout(600)
@pytest.mark.parametrize("pace", ["1"])
def test_a_worker_told_to_end_leaves_a_long_answer_to_another_one(
    house: House, crowd: Crowd, telegram: FakeTelegram
) -> None:
    """It would be at it for minutes; `drain_s` is five seconds."""
    house.kill("second worker")
    person = crowd.people[0]
    crowd.say(person, words=400)
    until(lambda: telegram.drafts(person), told=lambda: house.output)

    house.end("worker")
    code = house.processes["worker"].wait(timeout_s=60)

    assert code == 0, house.processes["worker"].output
    assert not crowd.verdict().is_answered
    house.pace = "0"
    house.make_whole()
    verdict = crowd.settled(patience_s=60)
    assert verdict.is_clean, f"{verdict}\n{house.output[-6000:]}"
