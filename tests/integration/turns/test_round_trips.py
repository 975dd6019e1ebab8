"""How often a turn makes two processes wake each other."""

from pathlib import Path

from tests import services
from tests.support.counted import line_to
from tests.support.stage import copy_of, open_stage


def test_a_plain_turn_takes_its_worker_four_round_trips(
    migrated: tuple[Path, str], postgres_databases: services.PostgresDatabases, tmp_path: Path
) -> None:
    template, template_url = migrated
    url = postgres_databases.create(template=template_url)
    with line_to(url) as line, open_stage(copy_of(template, tmp_path / "data"), url=line.url) as stage:
        worker = stage.worker()
        stage.say("hello")
        stage.work(worker)
        taken = stage.say("hello again")
        assert taken.turn_id is not None
        before = line.round_trips

        worker.answerer.answer(taken.turn_id)

        # The lease and the turn; its beginning, what was said, the commit. The lease let go; the answer, the commit.
        assert line.round_trips - before == 4
