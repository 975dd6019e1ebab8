"""How much a text is like the examples of each skill: by its meaning, and a little by its words."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from parlour.knowledge.embedding import Embedder

Matrix = npt.NDArray[np.float64]

# Found on banking77, and flat around there: how quickly an example stops counting with its distance, how far the
# examples are trusted one by one, and how much their words count beside their meaning.
_WIDTH: Final = 2.0
_RIDGE: Final = 0.1
_WORDS: Final = 0.3
_MOST_WORDS: Final = 200
# A word of letters, or one character of a script without spaces.
_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
# What people say to any assistant and no skill is for. Without it a skill that is alone would be like anything.
CHATTER: Final = (
    "Hello", "Hi there, how are you?", "Good morning", "Thanks a lot", "Thank you, bye", "Who are you?",
    "What can you do?", "Tell me a joke", "Tell me a story", "Write a poem about autumn",
    "Translate this into French", "What is the capital of Peru?", "How do I boil an egg?",
    "Summarise this text for me", "What do you think about love?", "Recommend a film",
    "What's the weather like today?", "I am bored", "Help me write an email to my boss", "What is 17 times 23?",
    "Explain how a rainbow forms", "Yes", "No", "OK", "That's great", "I don't understand",
    "Can you say that again?", "Who won the football match?", "Play some music", "Set a timer for ten minutes",
    "Write a Python function that sorts a list", "What time is it in Tokyo?", "Why is the sky blue?",
    "Book me a table for two", "The company reported a higher profit this quarter", "你好", "谢谢", "再见",
    "你是谁？", "你会做什么？", "讲个笑话", "讲个故事", "写一首关于秋天的诗", "今天天气怎么样？",
    "把这句话翻译成英文", "好的", "不是", "推荐一部电影", "北京有什么好玩的地方？", "帮我写一封邮件",
    "我很无聊", "为什么天空是蓝色的？", "附近有什么餐厅？", "怎么去火车站？",
)  # fmt: skip


class ExampleLikeness:
    """Learns from examples which of several handlers a text is for: kernel ridge regression, one output for each.

    With twenty examples each it is fitted in milliseconds and beats the nearest example, the nearest centroid and
    logistic regression on the same vectors (`parlour bench skills --part router`).
    """

    def __init__(self, embedder: Embedder, examples: Mapping[str, Sequence[str]]) -> None:
        self._embedder = embedder
        self._names = list(examples)
        texts = [text for some in examples.values() for text in some]
        owners = [name for name, some in examples.items() for _ in some] + [None] * len(CHATTER)
        known = [*texts, *CHATTER]
        self._vectors: Matrix = embedder.embed(known).astype(np.float64)
        self._words = _WordLikeness(known)
        wanted = np.array([[owner == name for name in self._names] for owner in owners], np.float64)
        self._weights: Matrix = np.asarray(
            np.linalg.solve(self._kernel(known) + _RIDGE * np.eye(len(known)), wanted), np.float64
        )

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """For each text, the score of every name: about 1 for what is like its examples, about 0 for what is not."""
        found = self._kernel(texts) @ self._weights
        return [dict(zip(self._names, map(float, row), strict=True)) for row in found]

    def _kernel(self, texts: Sequence[str]) -> Matrix:
        vectors = self._embedder.embed(texts).astype(np.float64)
        by_meaning: Matrix = np.exp(_WIDTH * (vectors @ self._vectors.T - 1.0))
        return (1.0 - _WORDS) * by_meaning + _WORDS * self._words.cosines(texts)


class _WordLikeness:
    """Cosines between texts as bags of words and pairs of words; what many examples have counts little."""

    def __init__(self, examples: Sequence[str]) -> None:
        bags = [_bag(text) for text in examples]
        terms = sorted({term for bag in bags for term in bag})
        self._places = {term: place for place, term in enumerate(terms)}
        counts: Matrix = np.zeros((len(bags), len(terms)))
        for row, bag in enumerate(bags):
            for term, weight in bag.items():
                counts[row, self._places[term]] = weight
        self._rarity: Matrix = np.log((1 + len(bags)) / (1 + (counts > 0).sum(axis=0))) + 1.0
        self._unseen = float(np.log(1.0 + len(bags)) + 1.0)
        weighed = counts * self._rarity
        lengths = np.sqrt((weighed**2).sum(axis=1, keepdims=True))
        self._examples: Matrix = weighed / np.maximum(lengths, 1e-12)

    def cosines(self, texts: Sequence[str]) -> Matrix:
        """One row for each text, one column for each example."""
        made = np.zeros((len(texts), len(self._examples)))
        for row, text in enumerate(texts):
            bag = _bag(text)
            seen = [(self._places[term], weight) for term, weight in bag.items() if term in self._places]
            places = [place for place, _ in seen]
            weighed = np.array([weight for _, weight in seen]) * self._rarity[places]
            beyond = sum(weight**2 for term, weight in bag.items() if term not in self._places) * self._unseen**2
            length = float(np.sqrt(weighed @ weighed + beyond)) or 1.0
            made[row] = self._examples[:, places] @ weighed / length
        return made


def _bag(text: str) -> dict[str, float]:
    words = _WORD.findall(text.lower())[:_MOST_WORDS]
    found: dict[str, float] = {}
    for term in [*words, *(f"{one} {other}" for one, other in pairwise(words))]:
        found[term] = found.get(term, 0.0) + 1.0
    return {term: count**0.5 for term, count in found.items()}
