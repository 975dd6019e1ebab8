"""Questions find passages by words and by meaning, and only what the asker may find."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select, text

from parlour.knowledge.access import Asker
from parlour.knowledge.errors import EmbeddingsUnavailable
from parlour.knowledge.search import fuse
from parlour.knowledge.service import Knowledge, open_knowledge
from parlour.privacy.errors import KeyShredded
from parlour.store.ids import WorkspaceId, new_id
from parlour.store.knowledge_models import KnowledgePassage, KnowledgeSource
from tests.fakes.embedder import FakeEmbedder
from tests.support.storage import Storage


def _put(
    knowledge: Knowledge, workspace: WorkspaceId, folder: Path, texts: dict[str, str], role: str = "member"
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in texts.items():
        (folder / name).write_text(content)
        knowledge.library.add(workspace, folder / name, least_role=role)


def _sources(knowledge: Knowledge, asker: Asker, question: str, limit: int = 5) -> list[str]:
    return [passage.source for passage in knowledge.search.find(asker, question, limit=limit)]


def test_a_passage_knows_its_source_and_place(knowledge: Knowledge, member: Asker, docs: Path) -> None:
    knowledge.library.add(member.workspace_id, docs)

    passage = knowledge.search.find(member, "sending goods back")[0]

    assert (passage.source, passage.place) == ("handbook/returns.md", "Returns")
    assert passage.text == "Goods may be sent back within thirty days."
    assert passage.similarity is not None


@pytest.mark.parametrize("question", ["停车场怎么收费", "停车收费", "parking costs"])
def test_words_are_found_in_chinese_and_english(storage: Storage, member: Asker, docs: Path, question: str) -> None:
    words_only = open_knowledge(database=storage.database, privacy=storage.privacy, embedder=None)
    words_only.library.add(member.workspace_id, docs)

    assert _sources(words_only, member, question)[0] == "handbook/deep/parking.txt"


def test_a_rare_word_weighs_more_than_common_ones(storage: Storage, member: Asker, tmp_path: Path) -> None:
    words_only = open_knowledge(database=storage.database, privacy=storage.privacy, embedder=None)
    texts = {f"{number}.txt": f"The order number {number} was sent by post to the customer." for number in range(12)}
    texts["rare.txt"] = "The zeppelin has a long and detailed manual which is not about anything else at all."
    _put(words_only, member.workspace_id, tmp_path / "docs", texts)

    assert _sources(words_only, member, "post zeppelin", limit=1) == ["rare.txt"]


def test_another_workspaces_documents_are_never_found(knowledge: Knowledge, storage: Storage, docs: Path) -> None:
    here, elsewhere = storage.workspace("here"), storage.workspace("elsewhere")
    knowledge.library.add(here, docs)

    assert _sources(knowledge, Asker(elsewhere, "owner"), "goods parking") == []
    assert len(_sources(knowledge, Asker(here), "goods parking")) == 2


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("member", {"all.txt"}),
        ("admin", {"all.txt", "admins.txt"}),
        ("owner", {"all.txt", "admins.txt", "owners.txt"}),
        ("stranger", set()),
    ],
)
def test_a_role_finds_what_is_for_it(
    knowledge: Knowledge, member: Asker, tmp_path: Path, role: str, expected: set[str]
) -> None:
    for name, least in (("all", "member"), ("admins", "admin"), ("owners", "owner")):
        _put(knowledge, member.workspace_id, tmp_path / "docs", {f"{name}.txt": f"salary table {name}"}, least)

    assert set(_sources(knowledge, Asker(member.workspace_id, role), "salary table")) == expected


def test_a_role_taken_away_counts_at_once(knowledge: Knowledge, member: Asker, docs: Path) -> None:
    knowledge.library.add(member.workspace_id, docs)
    assert len(_sources(knowledge, member, "goods parking")) == 2

    report = knowledge.library.add(member.workspace_id, docs, least_role="admin")

    assert len(report.unchanged) == 2
    assert _sources(knowledge, member, "goods parking") == []
    assert len(_sources(knowledge, Asker(member.workspace_id, "admin"), "goods parking")) == 2


def test_another_processs_index_notices_the_change(
    knowledge: Knowledge, storage: Storage, member: Asker, docs: Path
) -> None:
    other = open_knowledge(database=storage.database, privacy=storage.privacy, embedder=FakeEmbedder())
    other.library.add(member.workspace_id, docs)
    assert len(_sources(knowledge, member, "goods parking")) == 2

    other.library.remove(member.workspace_id, "handbook/returns.md")

    assert _sources(knowledge, member, "goods parking") == ["handbook/deep/parking.txt"]


@pytest.mark.parametrize(
    "question", ["", "   ", "?!", '" OR *', "NEAR(a b) AND NOT \\ ' ; --", "的", "\0", "a" * 100_000]
)
def test_no_question_breaks_the_search(knowledge: Knowledge, member: Asker, docs: Path, question: str) -> None:
    knowledge.library.add(member.workspace_id, docs)

    assert len(knowledge.search.find(member, question)) <= 2


def test_an_empty_library_finds_nothing(knowledge: Knowledge, member: Asker) -> None:
    assert knowledge.search.find(member, "anything") == []


def test_nothing_of_a_document_stands_in_the_database_in_plain(
    knowledge: Knowledge, storage: Storage, member: Asker, docs: Path
) -> None:
    knowledge.library.add(member.workspace_id, docs)

    with storage.database.read() as session:
        rows = [
            *session.execute(select(KnowledgeSource.__table__)),
            *session.execute(select(KnowledgePassage.__table__)),
        ]
        if storage.database.is_sqlite:
            rows += session.execute(text("SELECT * FROM knowledge_terms_data")).all()
    held = repr([tuple(row) for row in rows]).lower()

    assert not [word for word in ("goods", "thirty", "handbook", "return", "停车", "parking") if word in held]


def test_a_shredded_workspaces_documents_cannot_be_opened(storage: Storage, docs: Path) -> None:
    workspace = storage.workspace()
    first = open_knowledge(database=storage.database, privacy=storage.privacy, embedder=FakeEmbedder())
    first.library.add(workspace, docs)
    storage.shred(workspace)
    storage.privacy.keyring.forget(workspace)

    with pytest.raises(KeyShredded):
        first.search.find(Asker(workspace), "goods")


def test_what_stands_high_in_both_rankings_comes_first() -> None:
    a, b, c = (new_id() for _ in range(3))

    assert fuse([[a, b], [b, c]]) == [b, a, c]
    assert fuse([[], [c]]) == [c]


def test_while_the_model_cannot_be_asked_words_find_something(
    knowledge: Knowledge, member: Asker, docs: Path, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Sequence[str]) -> None:
        raise EmbeddingsUnavailable("The server of embeddings does not answer.")

    knowledge.library.add(member.workspace_id, docs)
    monkeypatch.setattr(embedder, "embed", away)

    assert knowledge.search.find(member, "goods sent back")[0].source == "handbook/returns.md"
