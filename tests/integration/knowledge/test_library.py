"""Documents are taken in, replaced when they change, and removed, on SQLite and on PostgreSQL."""

import os
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, text

from parlour.knowledge.access import Asker
from parlour.knowledge.errors import DocumentError, DocumentUnreadable, KnowledgeError, NameTaken, SourceUnknown
from parlour.knowledge.service import Knowledge, open_knowledge
from parlour.store.knowledge_models import KnowledgePassage
from parlour.store.models import Workspace
from tests.fakes.embedder import FakeEmbedder
from tests.support.storage import Storage


def _found(knowledge: Knowledge, asker: Asker, question: str) -> list[str]:
    return [passage.source for passage in knowledge.search.find(asker, question)]


def test_a_folder_is_taken_in_with_all_that_is_in_it(knowledge: Knowledge, member: Asker, docs: Path) -> None:
    report = knowledge.library.add(member.workspace_id, docs)

    assert report.added == ["handbook/returns.md", "handbook/deep/parking.txt"]
    assert [(view.name, view.format, view.passages) for view in knowledge.library.every(member.workspace_id)] == [
        ("handbook/deep/parking.txt", "text", 1),
        ("handbook/returns.md", "markdown", 1),
    ]


def test_what_has_not_changed_is_not_read_again(
    knowledge: Knowledge, member: Asker, docs: Path, embedder: FakeEmbedder
) -> None:
    knowledge.library.add(member.workspace_id, docs)
    embedder.embedded.clear()

    report = knowledge.library.add(member.workspace_id, docs)

    assert sorted(report.unchanged) == ["handbook/deep/parking.txt", "handbook/returns.md"]
    assert embedder.embedded == []


def test_what_has_changed_is_replaced_and_what_has_gone_is_removed(
    knowledge: Knowledge, member: Asker, docs: Path
) -> None:
    knowledge.library.add(member.workspace_id, docs)
    _found(knowledge, member, "goods")  # the index in memory has to follow
    (docs / "returns.md").write_text("# Returns\n\nNo refunds at all, ever.\n")
    (docs / "deep" / "parking.txt").unlink()

    report = knowledge.library.add(member.workspace_id, docs)

    assert report.replaced == ["handbook/returns.md"]
    assert report.removed == ["handbook/deep/parking.txt"]
    (passage,) = knowledge.search.find(member, "parking goods refunds")
    assert passage.text == "No refunds at all, ever."


def test_another_model_means_another_index(knowledge: Knowledge, storage: Storage, member: Asker, docs: Path) -> None:
    knowledge.library.add(member.workspace_id, docs)
    other = open_knowledge(database=storage.database, privacy=storage.privacy, embedder=FakeEmbedder("other"))

    report = other.library.add(member.workspace_id, docs)

    assert len(report.replaced) == 2


def test_a_file_that_cannot_be_read_keeps_nobody_up_and_its_old_passages_stay(
    knowledge: Knowledge, member: Asker, docs: Path
) -> None:
    knowledge.library.add(member.workspace_id, docs)
    (docs / "returns.md").write_bytes(b"\0 damaged")
    (docs / "new.txt").write_text("Breakfast is served from seven.")

    report = knowledge.library.add(member.workspace_id, docs)

    assert report.added == ["handbook/new.txt"]
    assert len(report.refused) == 1
    assert "returns.md is no text" in report.refused[0]
    assert report.removed == []
    assert "handbook/returns.md" in _found(knowledge, member, "goods sent back")


def test_an_empty_folder_removes_nothing(knowledge: Knowledge, member: Asker, docs: Path) -> None:
    """A share that is not mounted looks like this."""
    knowledge.library.add(member.workspace_id, docs)
    for path in (docs / "returns.md", docs / "deep" / "parking.txt"):
        path.unlink()

    with pytest.raises(DocumentError, match="Nothing was changed"):
        knowledge.library.add(member.workspace_id, docs)

    assert len(knowledge.library.every(member.workspace_id)) == 2


def test_links_hidden_files_and_unknown_kinds_are_left_out(knowledge: Knowledge, member: Asker, docs: Path) -> None:
    (docs.parent / "secret.txt").write_text("secret")
    (docs / "link.txt").symlink_to(docs.parent / "secret.txt")
    (docs / "folder").symlink_to(docs.parent, target_is_directory=True)
    (docs / ".hidden.md").write_text("hidden")
    (docs / "tool.exe").write_bytes(b"MZ")

    report = knowledge.library.add(member.workspace_id, docs)

    assert sorted(report.added) == ["handbook/deep/parking.txt", "handbook/returns.md"]
    assert len(report.warnings) == 2


def test_a_pipe_is_no_document(knowledge: Knowledge, member: Asker, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")

    with pytest.raises(DocumentUnreadable, match="no file"):
        knowledge.library.add(member.workspace_id, tmp_path / "a.txt")


def test_a_document_of_the_same_name_from_elsewhere_is_refused(
    knowledge: Knowledge, member: Asker, docs: Path, tmp_path: Path
) -> None:
    knowledge.library.add(member.workspace_id, docs / "returns.md")
    other = tmp_path / "returns.md"
    other.write_text("something else")

    with pytest.raises(NameTaken, match="--name"):
        knowledge.library.add(member.workspace_id, other)

    assert knowledge.library.add(member.workspace_id, other, name="other.md").added == ["other.md"]


def test_a_role_that_is_not_known_is_refused(knowledge: Knowledge, member: Asker, docs: Path) -> None:
    with pytest.raises(KnowledgeError, match="guest, member, auditor, admin, owner"):
        knowledge.library.add(member.workspace_id, docs, least_role="boss")


def test_a_folder_is_removed_with_all_that_came_with_it(knowledge: Knowledge, member: Asker, docs: Path) -> None:
    knowledge.library.add(member.workspace_id, docs)
    _found(knowledge, member, "goods")

    removed = knowledge.library.remove(member.workspace_id, "handbook")

    assert sorted(removed) == ["handbook/deep/parking.txt", "handbook/returns.md"]
    assert _found(knowledge, member, "goods parking") == []


def test_one_document_is_removed_by_its_name(knowledge: Knowledge, member: Asker, docs: Path) -> None:
    knowledge.library.add(member.workspace_id, docs)

    knowledge.library.remove(member.workspace_id, "handbook/returns.md")

    assert _found(knowledge, member, "goods parking") == ["handbook/deep/parking.txt"]


def test_a_name_that_is_not_there_is_told(knowledge: Knowledge, member: Asker) -> None:
    with pytest.raises(SourceUnknown, match="parlour kb list"):
        knowledge.library.remove(member.workspace_id, "nothing")


def test_a_workspace_takes_its_documents_along_and_their_words(
    knowledge: Knowledge, storage: Storage, member: Asker, docs: Path
) -> None:
    knowledge.library.add(member.workspace_id, docs)

    with storage.database.begin() as session:
        session.execute(delete(Workspace))

    with storage.database.read() as session:
        assert session.scalar(select(func.count()).select_from(KnowledgePassage)) == 0
    if storage.database.is_sqlite:
        with storage.database.begin() as session:
            # Fails where the index and its table differ: https://www.sqlite.org/fts5.html#the_integrity_check_command
            session.execute(text("INSERT INTO knowledge_terms (knowledge_terms, rank) VALUES ('integrity-check', 1)"))
