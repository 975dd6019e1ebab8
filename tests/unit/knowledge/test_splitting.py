"""Passages follow the document's structure, and nothing is lost on the way."""

from hypothesis import given
from hypothesis import strategies as st

from parlour.knowledge.reading.blocks import Block
from parlour.knowledge.splitting import split, width

TEXTS = st.text(st.sampled_from("ab c.。！\n退款 "), max_size=300)


def test_paragraphs_under_one_heading_are_joined() -> None:
    blocks = [Block("one", ("A",)), Block("two", ("A",)), Block("three", ("A", "B"))]

    assert [(piece.text, piece.headings) for piece in split(blocks)] == [
        ("one\n\ntwo", ("A",)),
        ("three", ("A", "B")),
    ]


def test_pages_and_records_stay_apart() -> None:
    blocks = [Block("p1", page=1), Block("p2", page=2), Block("r1", row=1, is_record=True), Block("r2", is_record=True)]

    assert [piece.text for piece in split(blocks)] == ["p1", "p2", "r1", "r2"]


def test_long_text_is_split_between_sentences() -> None:
    sentences = [f"This is sentence number {number}." for number in range(40)]

    pieces = list(split([Block(" ".join(sentences))], longest=200))

    assert len(pieces) > 4
    assert all(piece.text.endswith(".") for piece in pieces)
    assert " ".join(piece.text for piece in pieces) == " ".join(sentences)


def test_chinese_counts_for_more_and_is_split_between_sentences() -> None:
    pieces = list(split([Block("购买后七天内可以申请退款。" * 20)], longest=200))

    assert len(pieces) > 2
    assert all(piece.text.endswith("。") for piece in pieces)


def test_a_question_is_what_its_answer_is_found_by() -> None:
    (piece,) = split([Block("Question: q?\nAnswer: a", question="q?", is_record=True)])

    assert piece.meaning == "q?"
    assert "Answer" in piece.words


def test_the_meaning_of_a_passage_has_its_headings() -> None:
    (piece,) = split([Block("30 days", ("Handbook", "Shop", "Returns"))])

    assert piece.meaning == "Shop > Returns\n30 days"


@given(st.lists(TEXTS, max_size=5), st.integers(5, 100))
def test_nothing_is_lost_and_nothing_is_too_long(texts: list[str], longest: int) -> None:
    pieces = list(split([Block(text) for text in texts], longest=longest))

    assert "".join("".join(piece.text.split()) for piece in pieces) == "".join("".join(text.split()) for text in texts)
    assert all(width(piece.text) <= longest + 2 for piece in pieces)
    assert all(piece.text == piece.text.strip() and piece.text for piece in pieces)
