"""How much a text is like the examples of each skill: by its meaning, and by the letters of its words."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from parlour.knowledge.embedding import Embedder

Matrix = npt.NDArray[np.float64]

# Found on banking77 with draws of examples that no figure is told of, and flat around there: how quickly an example
# stops counting with its distance, how far the examples are trusted one by one, and how much letters count beside
# meaning.
_WIDTH: Final = 3.0
_RIDGE: Final = 0.05
_LETTERS: Final = 0.375
_RUNS: Final = range(1, 5)
_MOST_WORDS: Final = 200
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
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
        self._letters = _LetterLikeness(known)
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
        return (1.0 - _LETTERS) * by_meaning + _LETTERS * self._letters.cosines(texts)


class _LetterLikeness:
    """Cosines between texts as bags of letter runs; what many examples have counts little (TF-IDF).

    Runs of letters tell "withdrawal" from "withdrew" less than whole words do, and stand for words in scripts that put
    no spaces between them. Of each run is kept which examples have it: most have few of all.
    """

    def __init__(self, examples: Sequence[str]) -> None:
        bags = [_bag(text) for text in examples]
        spread = Counter(run for bag in bags for run in bag)
        self._number = len(bags)
        self._rarity = {run: math.log((1 + len(bags)) / (1 + count)) + 1.0 for run, count in spread.items()}
        self._unseen = math.log(1 + len(bags)) + 1.0
        lists: dict[str, tuple[list[int], list[float]]] = {run: ([], []) for run in spread}
        for number, bag in enumerate(bags):
            for run, weight in self._weighed(bag).items():
                lists[run][0].append(number)
                lists[run][1].append(weight)
        self._lists = {run: (np.array(who, np.int32), np.array(much)) for run, (who, much) in lists.items()}

    def cosines(self, texts: Sequence[str]) -> Matrix:
        """One row for each text, one column for each example."""
        made = np.zeros((len(texts), self._number))
        for row, text in zip(made, texts, strict=True):
            weighed = self._weighed(_bag(text))
            if weighed:
                who = np.concatenate([self._lists[run][0] for run in weighed])
                much = np.concatenate([self._lists[run][1] * weight for run, weight in weighed.items()])
                row[:] = np.bincount(who, much, self._number)
        return made

    def _weighed(self, bag: Mapping[str, float]) -> dict[str, float]:
        """The weights of the runs that examples have. What none has counts for the length: it makes a text strange."""
        known = {run: weight * self._rarity[run] for run, weight in bag.items() if run in self._rarity}
        beyond = sum(weight**2 for run, weight in bag.items() if run not in self._rarity) * self._unseen**2
        length = math.sqrt(sum(weight**2 for weight in known.values()) + beyond) or 1.0
        return {run: weight / length for run, weight in known.items()}


def _bag(text: str) -> dict[str, float]:
    """How often each run of letters stands in the words, damped; a word's ends count as letters."""
    words = [f" {word} " for word in _WORD.findall(text.lower())[:_MOST_WORDS]]
    runs = Counter(word[at : at + size] for word in words for size in _RUNS for at in range(len(word) - size + 1))
    del runs[" "]
    return {run: 1.0 + math.log(count) for run, count in runs.items()}
