"""Knowledge on both databases, with an embedder that knows words only."""

from pathlib import Path

import pytest

from parlour.knowledge.access import Asker
from parlour.knowledge.service import Knowledge, open_knowledge
from tests.fakes.embedder import FakeEmbedder
from tests.support.storage import Storage


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def knowledge(storage: Storage, embedder: FakeEmbedder) -> Knowledge:
    return open_knowledge(database=storage.database, privacy=storage.privacy, embedder=embedder, clock=storage.clock)


@pytest.fixture
def member(storage: Storage) -> Asker:
    return Asker(storage.workspace())


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder of two documents."""
    folder = tmp_path / "handbook"
    (folder / "deep").mkdir(parents=True)
    (folder / "returns.md").write_text("# Returns\n\nGoods may be sent back within thirty days.\n")
    (folder / "deep" / "parking.txt").write_text(
        "酒店地下停车场每小时收费十元。\n\n(Parking costs ten yuan an hour.)\n"
    )
    return folder
