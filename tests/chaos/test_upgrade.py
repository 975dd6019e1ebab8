"""A rolling upgrade under load: processes of the version before and of the new one side by side on the newer schema."""

from pathlib import Path

import pytest

from parlour.store import schema
from tests.chaos.crowd import Crowd
from tests.chaos.house import House
from tests.processes import until
from tests.support.newer_schema import add_expanding_revision


@pytest.mark.timeout(600)
def test_one_process_after_another_is_replaced_and_nobody_notices(
    house: House, crowd: Crowd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/operating.md says: migrate first, while all are of the version before; then restart them one by one."""
    newer = add_expanding_revision(tmp_path / "newer")
    _say_something(crowd)
    with monkeypatch.context() as there:
        there.setattr(schema, "_folder", lambda: newer)
        schema.upgrade(house.environment["PARLOUR_DATABASE__URL"])
    _say_something(crowd)

    # One of the version before dies meanwhile and is started again: it goes on, on a schema that it does not know.
    house.kill("second worker")
    _say_something(crowd)
    house.make_whole()
    assert "schema_is_newer" in house.processes["second worker"].output
    for name in ("scheduler", "worker", "gateway"):
        house.migrations = newer
        house.end(name)
        _say_something(crowd)
        until(lambda name=name: house.is_dead(name), timeout_s=60)  # type: ignore[misc]
        house.make_whole()
        assert "schema_is_newer" not in house.processes[name].output
        _say_something(crowd)

    # A worker of each version is there, and both answer.
    verdict = crowd.settled(patience_s=60.0)
    assert verdict.is_clean, f"{verdict}\n{house.output[-6000:]}"


def _say_something(crowd: Crowd) -> None:
    for person in crowd.people:
        crowd.say(person)
