"""Vectors of the last texts: embedded once, kept without the texts, and not for ever."""

import numpy as np
import pytest

from parlour.knowledge import recent
from parlour.knowledge.recent import RecentVectors
from tests.fakes.embedder import FakeEmbedder


def test_a_text_that_is_asked_for_again_is_not_embedded_again() -> None:
    fake = FakeEmbedder()
    vectors = RecentVectors(fake)

    first = vectors.embed(["how long is the guarantee"])
    both = vectors.embed(["guarantee", "how long is the guarantee", "guarantee"])

    assert fake.embedded == ["how long is the guarantee", "guarantee"]
    assert np.array_equal(both[1], first[0])
    assert np.array_equal(both[0], FakeEmbedder().embed(["guarantee"])[0])
    assert np.array_equal(both[0], both[2])
    assert vectors.name == fake.name


def test_only_the_last_ones_are_kept_and_no_text_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_KEPT", 2)
    fake = FakeEmbedder()
    vectors = RecentVectors(fake)

    for text in ("one", "two", "one", "three", "one", "two"):
        vectors.embed([text])

    assert fake.embedded == ["one", "two", "three", "two"]
    assert len(vectors._known) == 2
    assert not any(b"two" in digest or b"one" in digest for digest in vectors._known)


def test_another_process_knows_a_text_by_another_digest() -> None:
    one, other = RecentVectors(FakeEmbedder()), RecentVectors(FakeEmbedder())

    one.embed(["one"])
    other.embed(["one"])

    assert set(one._known).isdisjoint(other._known)


def test_an_import_pushes_nothing_out() -> None:
    fake = FakeEmbedder()
    vectors = RecentVectors(fake)
    vectors.embed(["one"])

    vectors.embed([f"piece {number}" for number in range(500)])
    vectors.embed(["one"])

    assert fake.embedded.count("one") == 1


def test_nothing_gets_no_row() -> None:
    assert len(RecentVectors(FakeEmbedder()).embed([])) == 0
