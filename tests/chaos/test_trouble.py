"""A skill that crashes, hangs and floods while workers die: whoever talks to it is told so, and nobody else notices."""

from pathlib import Path

import pytest

from tests.chaos import mischief
from tests.chaos.crowd import Crowd
from tests.chaos.house import House


@pytest.mark.timeout(900)
def test_a_skill_that_crashes_hangs_and_floods_holds_up_nobody(house: House, crowd: Crowd, tmp_path: Path) -> None:
    mischief.install(house, tmp_path)

    for person, (harm, command) in enumerate(mischief.COMMANDS.items(), start=900):
        crowd.trouble(person, command, is_endless=harm == "hangs")
    for round_number in range(4):
        for person in crowd.people:
            crowd.say(person)
        if round_number == 1:
            house.kill("worker")
            house.mend()

    # The one that hangs still does.
    verdict = crowd.settled(patience_s=240)
    assert verdict.is_clean, f"{verdict}\n{house.output[-6000:]}"
