"""Words to search by: segmented, brought to their stem, and kept in the database as keyed hashes only.

A full-text index of plain words could be read back into the document. Equal words have equal hashes within one
workspace, which is all that matching and weighing need.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache

import rjieba
import snowballstemmer

from parlour.privacy.lookup import Lookup
from parlour.store.ids import WorkspaceId

# 64 bits: in a workspace of a million different words two of them share a hash in one of 40 million.
_HASH_BYTES = 8
_REMEMBERED = 50_000
_LONGEST_WORD = 64
_HAN_RANGE = r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"[{_HAN_RANGE}]+|[^\W_{_HAN_RANGE}]+")
_HAN = re.compile(rf"[{_HAN_RANGE}]")
# Words that are everywhere say nothing, and cost the most to look up.
_IDLE = frozenset(
    """
    a an and are as at be been but by can could did do does for from had has have how i if in is it its me my of on or
    our shall should so that the their them there these they this to was we were what when where which who why will
    with would you your
    的 了 是 在 和 与 及 或 也 都 就 而 吗 呢 吧 啊 我 你 您 他 她 它 我们 你们 他们 这 那 这个 那个 有 把 被 对 从
    到 请问 怎么 如何 什么 哪些 多少 可以 能
    """.split()  # noqa: SIM905 (a list of a hundred quoted words is no better to read)
)


def words(text: str) -> Iterator[str]:
    """The words of a text or question, in order: Chinese segmented (long words and those inside), others stemmed."""
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).casefold()):
        found = rjieba.cut_for_search(run) if _HAN.match(run) else [_stem(run[:_LONGEST_WORD])]
        yield from (word for word in found if word not in _IDLE)


class Terms:
    """Hashes words with this installation's key, differently in each workspace."""

    def __init__(self, lookup: Lookup) -> None:
        self._hash: Callable[[WorkspaceId, str], str] = lru_cache(_REMEMBERED)(
            lambda workspace, word: lookup.hash("knowledge", str(workspace), word)[:_HASH_BYTES].hex()
        )

    def of(self, workspace: WorkspaceId, text: str) -> list[str]:
        """A hash for each word of `text`, in order."""
        return [self._hash(workspace, word) for word in words(text)]


@lru_cache(_REMEMBERED)
def _stem(word: str) -> str:
    # The stemmer keeps state between calls: one for each word that is not remembered, which is cheap.
    stemmed: str = snowballstemmer.stemmer("english").stemWord(word)
    return stemmed
