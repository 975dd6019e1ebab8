"""G7: nothing that people or the assistant said, and no secret, stands anywhere in plaintext."""

import pytest

from tests.fakes.telegram import FakeTelegram
from tests.integration.e2e.conftest import telegram_variables
from tests.integration.e2e.layouts import Layout, Start
from tests.processes import until
from tests.support.leaks import Place, find_bytes

SAID = "zebra-crossing-4711"
NAME = "Marker-Person-0815"
FILE_NAME = "marker-file-1234.pdf"


@pytest.mark.parametrize("kind", ["embedded", "production"])
def test_nothing_said_stands_in_plaintext(request: pytest.FixtureRequest, telegram: FakeTelegram, kind: str) -> None:
    """Markers in text, name, file name and file: databases, key store, broker, folder and logs have none of them."""
    start: Start = request.getfixturevalue(kind)
    with start(**telegram_variables(telegram), PARLOUR_LOG__LEVEL="debug") as house:
        telegram.do("meet", user=7, name=NAME)
        telegram.say(7, f"please repeat {SAID}")
        telegram.do("send_file", user=7, kind="document", file_name=FILE_NAME, content=SAID, caption=f"look {SAID}")
        telegram.fault("error_before", method="sendMessage", status=500)
        telegram.say(7, f"once more {SAID}")
        until(lambda: telegram.texts(7)[-1:] == [f"once more {SAID}"], told=lambda: house.output)
        places = _places(house)

        while_running = find_bytes([SAID, NAME, FILE_NAME, telegram.token], *places)

    after = find_bytes([SAID, NAME, FILE_NAME, telegram.token], *places, house.output.encode())
    assert while_running == []
    assert after == []


def _places(house: Layout) -> list[Place]:
    environment = house.environment
    places: list[Place] = [house.data_dir]
    places += [
        environment[name]
        for name in ("PARLOUR_DATABASE__URL", "PARLOUR_KEYS__URL", "PARLOUR_BROKER__URL")
        if name in environment
    ]
    return places
