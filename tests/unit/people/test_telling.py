"""What people say outright: wishes, interests, and what they ask to be remembered, in English and Chinese."""

import pytest

from parlour.people.facts import EntryKind, Fact, Slot, plain_words
from parlour.people.telling import LONGEST_SENTENCE, asked_to_remember, ended_sentences, sentences, told


@pytest.mark.parametrize(
    ("text", "slot", "holds"),
    [
        ("Please call me Annie from now on", Slot.NAME, "Annie"),
        ("I'd like to be called Dr. Stone", Slot.NAME, "Dr"),
        ("以后叫我小王吧", Slot.NAME, "小王"),
        ("请称呼我为陈女士", Slot.NAME, "陈女士"),
        ("Please keep your answers short", Slot.LENGTH, "short"),
        ("From now on answer formally", Slot.TONE, "formally"),
        ("Please write your answers as bullet points", Slot.FORMAT, "bullet"),
        ("Please always answer in Chinese", Slot.LANGUAGE, "Chinese"),
        ("From now on reply in German, please", Slot.LANGUAGE, "German"),
        ("以后请用英文回答我", Slot.LANGUAGE, "英文"),
        ("请回答简短一点", Slot.LENGTH, "简短"),
        ("Never use emojis with me", Slot.NEVER, "emojis"),
        ("不要推荐海鲜", Slot.NEVER, "海鲜"),
    ],
)
def test_a_wish_is_known_for_what_it_is(text: str, slot: Slot, holds: str) -> None:
    fact = told(text)

    assert fact is not None
    assert (fact.kind, fact.slot) == (EntryKind.PREFERENCE, slot)
    assert holds in fact.text


@pytest.mark.parametrize("text", ["I'm interested in old maps", "我对天文学很感兴趣", "My hobby is chess"])
def test_an_interest_is_known(text: str) -> None:
    fact = told(text)

    assert fact is not None
    assert fact.kind is EntryKind.INTEREST


@pytest.mark.parametrize(
    "text",
    [
        "Please answer this one in French",
        "Call me back when you are done",
        "What is a short story",
        "The table is formal",
        "叫我起床",
        "你好",
        "x" * 5_000,
        "",
    ],
)
def test_what_is_no_wish_is_none(text: str) -> None:
    assert told(text) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Please remember that my train leaves at nine.", ["my train leaves at nine"]),
        ("Hello! Remember: I moved to Bonn. And how are you?", ["I moved to Bonn"]),
        ("请记住我住在成都。", ["我住在成都"]),
        ("记住，我的密码是 abc12345", ["我的密码是 abc12345"]),
        ("Do you remember when we met?", []),
        ("Remember how it was", []),
        ("I remember nothing", []),
        (f"remember that {'x' * 400}", []),
    ],
)
def test_what_is_asked_to_be_remembered_is_found(text: str, what: list[str]) -> None:
    assert asked_to_remember(text) == what


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("I live in Lisbon", "I moved to Berlin", True),
        ("我住在成都", "我搬到了上海", True),
        ("I live in Lisbon", "My sister lives in Rome", False),
        ("My sister lives in Rome", "My sister moved to Pisa", True),
        ("I work as a baker", "I am working as a nurse", True),
        ("I like tea", "I like coffee", False),
        ("I like  TEA!", "i like tea", True),
    ],
)
def test_two_facts_of_which_there_is_one_only_have_one_key(first: str, second: str, *, is_same: bool) -> None:
    keys = [Fact(EntryKind.MEMORY, text).key for text in (first, second)]

    assert (keys[0] == keys[1]) is is_same


def test_words_in_common_are_found_in_both_scripts() -> None:
    assert plain_words("My cats in Lisbon") & plain_words("which cat?") == {"cat"}
    assert plain_words("我住在成都") & plain_words("成都好吗") == {"成都"}


@pytest.mark.parametrize("piece", ["请", "a-", "please ", "remember that "])
def test_no_pattern_sees_a_sentence_longer_than_anything_that_is_remembered(piece: str) -> None:
    long = piece * (LONGEST_SENTENCE // len(piece) + 1)

    assert sentences(f"{long}. I live in Bonn.") == ["I live in Bonn"]
    assert asked_to_remember(f"Remember that {long}") == []


def test_a_sentence_is_known_with_the_sign_that_ends_it() -> None:
    assert ended_sentences("Do I live in Bonn ？ Yes. So") == [("Do I live in Bonn", "?"), ("Yes", "."), ("So", "")]
