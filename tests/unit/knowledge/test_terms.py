"""Words are segmented, stemmed, and kept as hashes that differ from workspace to workspace."""

import pytest

from parlour.knowledge.access import ROLES
from parlour.knowledge.terms import Terms, words
from parlour.people.states import Role
from parlour.privacy.lookup import Lookup
from parlour.store.ids import WorkspaceId, new_id

HERE, ELSEWHERE = WorkspaceId(new_id()), WorkspaceId(new_id())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Returns and returning", ["return", "return"]),
        ("ＡＰＩ接口文档", ["api", "接口", "文档"]),
        ("怎么申请退款？", ["申请", "退款"]),
        ("error 0x80070057, item-42", ["error", "0x80070057", "item", "42"]),
        ("the 的 ！!", []),
    ],
)
def test_the_words_of_a_text(text: str, expected: list[str]) -> None:
    assert list(words(text)) == expected


def test_words_inside_a_long_word_are_found_too() -> None:
    assert {"中国", "科学院", "中国科学院"} <= set(words("中国科学院"))


def test_a_word_has_one_hash_in_a_workspace_and_another_elsewhere() -> None:
    terms = Terms(Lookup(b"k" * 32))

    assert terms.of(HERE, "refund") == terms.of(HERE, "Refunds")
    assert terms.of(HERE, "refund") != terms.of(ELSEWHERE, "refund")


def test_hashes_cannot_be_worked_out_without_the_key() -> None:
    assert Terms(Lookup(b"k" * 32)).of(HERE, "refund") != Terms(Lookup(b"x" * 32)).of(HERE, "refund")


def test_the_roles_are_those_of_people() -> None:
    assert tuple(Role) == ROLES
