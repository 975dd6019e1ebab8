"""A backup made while people talk, restored into an empty place: the judge finds nothing lost and nothing doubled."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.crowd import Crowd
from tests.chaos.house import House, embedded, production
from tests.chaos.nursery import Nursery
from tests.fakes.telegram import FakeTelegram
from tests.processes import until
from tests.services import PostgresDatabases  # noqa: TC001 (an annotation like the others)

MakeHouse = Callable[[Path], House]


@pytest.fixture(params=["embedded", "production"])
def make_house(request: pytest.FixtureRequest, telegram: FakeTelegram, nursery: Nursery) -> MakeHouse:
    """An installation in an empty folder, and on empty databases."""
    if request.param == "embedded":
        return lambda folder: embedded(folder, telegram, nursery=nursery)
    databases: PostgresDatabases = request.getfixturevalue("postgres_databases")
    redis_url: str = request.getfixturevalue("redis_url")
    return lambda folder: production(folder, databases, redis_url, telegram, is_migrated=False, nursery=nursery)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is open in a test."""
    with ExitStack() as opened:
        yield opened


@pytest.mark.timeout(600)
def test_what_was_answered_stays_so_and_what_was_not_is_answered_once(
    make_house: MakeHouse, tmp_path: Path, stack: ExitStack, crowd: Crowd, telegram: FakeTelegram
) -> None:
    """Whoever talks while the backup is made is in it or not; all that was taken in before it is."""
    *everybody, talker = crowd.people
    backup = tmp_path / "backup"
    old, new = make_house(_folder(tmp_path / "old")), make_house(_folder(tmp_path / "new"))
    assert old.run("db", "upgrade").popen.returncode == 0
    stack.enter_context(old)
    _say_something(crowd, everybody)
    assert crowd.settled(patience_s=60, linger_s=0).is_clean

    # Telegram takes no more posts: what is asked now is answered, and not delivered, when the backup is made.
    telegram.fault("error_before", method="sendMessage", times=None)
    _say_something(crowd, everybody)
    until(lambda: not telegram.state()["pending"], timeout_s=60, told=lambda: old.output)
    making = old.operate("backup", "create", str(backup), "--keys")
    while making.popen.poll() is None:
        crowd.say(talker)
        until(lambda: not telegram.state()["pending"], timeout_s=60, told=lambda: old.output)
    assert making.wait() == 0, making.output
    for name in old.processes:
        old.kill(name)
    crowd.forget(talker)
    _say_something(crowd, everybody)

    # As its owner's safe place has it; it is in no backup.
    key_file = Path("keys", "master.key")
    _folder(new.data_dir / "keys")
    shutil.copy(old.data_dir / key_file, new.data_dir / key_file)
    restored = new.run("backup", "restore", str(backup))
    assert restored.popen.returncode == 0, restored.output
    telegram.heal()
    stack.enter_context(new)

    verdict = crowd.settled(patience_s=60, linger_s=3)
    assert verdict.is_clean, f"{verdict}\n{new.output[-6000:]}"
    assert verdict.accepted >= 3 * len(everybody) + 1


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, mode=0o700)
    return path


def _say_something(crowd: Crowd, people: list[int]) -> None:
    for person in people:
        crowd.say(person)
