"""Which statements say the same, which contradict each other, and which have nothing to do with each other."""

import pytest

from parlour.people.facts import EntryKind, Fact, Slot


def memory(text: str) -> Fact:
    return Fact(EntryKind.MEMORY, text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I like green tea.", "likes green tea"),
        ("I'm married", "The user is married"),
        ("My team has 12 people", "their team has 12 people now"),
        ("I don't eat meat", "does not eat meat"),
        ("我有一只猫", "用户有一只猫"),
    ],
)
def test_in_whichever_person_it_says_the_same(one: str, other: str) -> None:
    assert memory(one).says_the_same_as(memory(other))
    assert memory(one).key == memory(other).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I like green tea", "I don't like green tea"),
        ("likes green tea", "does not like green tea any more"),
        ("I have a dog", "I no longer have a dog"),
        ("I am learning Spanish", "I'm not learning Spanish anymore"),
        ("I can swim", "I can't swim"),
        ("I have 2 cats", "I have three cats now"),
        ("My desk number is 415", "My desk number is 416"),
        ("我喜欢绿茶", "我不喜欢绿茶了"),
        ("我是医生", "我不是医生"),
        ("我有狗", "我没有狗"),
        ("我有2只猫", "我现在有三只猫"),
    ],
)
def test_of_what_contradicts_itself_one_can_hold(one: str, other: str) -> None:
    assert not memory(one).says_the_same_as(memory(other))
    assert memory(one).key == memory(other).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("My sister likes tea", "My brother likes tea"),
        ("I play tennis on Mondays", "I play tennis on Tuesdays"),
        ("I visited Rome in 2015", "I visited Rome in 2019"),
        ("I have 2 cats", "I have 2 dogs"),
        ("The train goes from Rome to Paris", "The train goes from Paris to Rome"),
        ("我们喜欢绿茶", "我喜欢绿茶"),
    ],
)
def test_what_can_hold_together_stays_together(one: str, other: str) -> None:
    assert not memory(one).says_the_same_as(memory(other))
    assert memory(one).key != memory(other).key


def test_what_somebody_never_wants_is_no_denial_of_a_wish() -> None:
    never, wish = (Fact(EntryKind.PREFERENCE, text, Slot.NEVER) for text in ("Never use emojis", "use emojis"))

    assert never.key != wish.key
