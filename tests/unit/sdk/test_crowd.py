"""What many people have in common is counted; what few have is never told."""

import pytest

from parlour.sdk import Clock, Crowd, SharedStore, Skill, SkillMistake, Turn, Upload, UserStore
from parlour.sdk.crowd import LEAST_PEOPLE, MOST_OF_A_PERSON, counts, pairs
from parlour.sdk.testing import Rehearsal


def test_people_are_counted_not_documents() -> None:
    assert counts([["a", "a"], ["a", "b"]], least=1) == {"a": 2, "b": 1}


def test_what_too_few_people_have_is_not_told() -> None:
    people = [["common", "rare"]] * (LEAST_PEOPLE - 1) + [["common"]]

    assert counts(people) == {"common": LEAST_PEOPLE}
    assert list(pairs(people)) == []


def test_a_pair_comes_once_whatever_its_order() -> None:
    assert list(pairs([["a", "b"], ["b", "a"]], least=2)) in ([("a", "b", 2)], [("b", "a", 2)])


def test_within_keeps_the_order_and_the_distance() -> None:
    people = [["a", "b", "c"], ["a", "b", "c"]]

    assert set(pairs(people, within=1, least=2)) == {("a", "b", 2), ("b", "c", 2)}
    assert ("a", "c", 2) in set(pairs(people, within=2, least=2))


def test_of_one_who_did_everything_only_the_latest_counts() -> None:
    values = [str(number) for number in range(MOST_OF_A_PERSON + 1)]

    found = {value for pair in pairs([values, values], within=1, least=2) for value in pair[:2]}

    assert found == set(values[1:])


def test_a_skill_on_stage_counts_counts_events_and_reads_files() -> None:
    own = Skill("tried", "", keeps={"plant": "plants", "top": "favourites"})

    @own.event("bought")
    async def bought(plant: str, mine: UserStore) -> str:
        """A person bought a plant."""
        return await mine.put("plant", {"name": plant}, id=plant)

    @own.imports("list", "Plants, one a line")
    async def take(upload: Upload) -> str:
        return str(len(b"".join([piece async for piece in upload.pieces()]).splitlines()))

    @own.every("1h")
    async def learn(crowd: Crowd, shared: SharedStore) -> None:
        both = [pair async for pair in crowd.pairs("plant", "name")]
        await shared.put("top", {"counts": await crowd.counts("plant", "name"), "pairs": len(both)}, id="now")

    rehearsal = Rehearsal(own)
    for number in range(LEAST_PEOPLE):
        assert rehearsal.event("bought", user=f"person-{number}", plant="ficus") == "ficus"
    rehearsal.event("bought", user="person-0", plant="agave")

    rehearsal.tick("learn")

    assert rehearsal.hand_in("list", "ficus\n" * 3_000).text == "3000"
    assert rehearsal.shared.documents["top", "now"]["counts"] == {"ficus": LEAST_PEOPLE}
    assert rehearsal.shared.documents["top", "now"]["pairs"] == 0


def test_what_has_no_person_asks_for_none() -> None:
    own = Skill("tried", "")

    async def take(upload: Upload, mine: UserStore) -> None:
        del upload, mine

    async def speak(turn: Turn) -> None:
        """Speak."""
        del turn

    async def read(upload: Upload) -> None:
        """Read."""
        del upload

    with pytest.raises(SkillMistake, match="an import has no UserStore"):
        own.imports("list", "A list")(take)
    with pytest.raises(SkillMistake, match="an event has no Turn"):
        own.event("spoke")(speak)
    with pytest.raises(SkillMistake, match=r"for @skill\.imports alone"):
        own.tool(read)


def test_an_event_says_what_it_means() -> None:
    async def bought(clock: Clock) -> None:
        del clock

    with pytest.raises(SkillMistake, match="docstring"):
        Skill("tried", "").event("bought")(bought)
    with pytest.raises(SkillMistake, match="lower-case words"):
        Skill("tried", "").imports("A List", "A list")(bought)
