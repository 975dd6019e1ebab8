"""A short form of `make chaos`: a few seeded schedules in each layout. The long form: python -m tests.chaos --help."""

from pathlib import Path

import pytest

from parlour.turns.states import Mode
from tests.chaos.play import LayoutName, Play, settle_in, stage


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    ("layout", "mode", "seeds"),
    [
        ("production", Mode.QUEUE, (1, 2)),
        ("embedded", Mode.QUEUE, (1, 2)),
        ("embedded", Mode.MERGE, (3,)),
        ("embedded", Mode.INTERRUPT, (4,)),
    ],
)
def test_whatever_breaks_everyone_is_answered_once_and_in_order(
    layout: LayoutName, mode: Mode, seeds: tuple[int, ...], tmp_path: Path
) -> None:
    with stage(layout) as on, settle_in(on, tmp_path, mode=mode) as place:
        for seed in seeds:
            played = place.perform(Play(seed))
            assert played.verdict.is_clean, f"{played.verdict}\n{played.faults}\n{played.output[-6000:]}"
