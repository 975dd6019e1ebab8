"""What one skill may ask of another: its bounds, counted by the host."""

from collections.abc import Mapping
from typing import Any, Self, cast

import pytest

from parlour.sdk.errors import CapabilityError, Invalid, NotAvailable, NotGranted, TooMuch
from parlour.sdk.manifest import Entry
from parlour.skills.asking import ANSWER_TIMEOUT_S, DEEPEST, MOST_IN_A_TURN, Asking, Chain, Questions
from parlour.skills.desk import Grants, HostDesk, Services, Whose
from parlour.skills.errors import SkillBroke, SkillError, SkillTimedOut
from parlour.skills.process import Run
from parlour.skills.routing import ToolUse
from parlour.skills.views import SkillView
from parlour.store.ids import SkillId, UserId, WorkspaceId, new_id
from tests.support.manifests import installed, tool

PLANT = {"type": "string"}


def offer(name: str, **arguments: Any) -> Entry:
    made = tool(name, **arguments)
    return Entry(f"offer:{name}", "offer", name, about=made.about, arguments=made.arguments)


GARDEN = installed("garden", offer("watering", plant=PLANT), tool("secret"))


class Answering:
    """A run of the skill that is asked."""

    value = "every week"

    def __init__(self, error: SkillError | None = None) -> None:
        self.error = error
        self.is_cancelled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> "Answering":
        return self

    def __next__(self) -> object:
        if self.error is not None:
            raise self.error
        raise StopIteration

    def cancel(self) -> None:
        self.is_cancelled = True


class House:
    """Begins what is asked, and remembers it."""

    def __init__(self, run: Answering | None = None) -> None:
        self.run = run or Answering()
        self.begun: list[tuple[str, str, Mapping[str, Any], float, Chain]] = []
        self.uses: list[ToolUse] = []
        self.questions = Questions(self.uses)

    def begin(self, other: SkillView, entry: Entry, arguments: Mapping[str, Any], seconds: float, chain: Chain) -> Run:
        self.begun.append((other.name, entry.id, arguments, seconds, chain))
        return cast("Run", self.run)

    def asking(self, *chain: str, left_s: float = 100.0) -> Asking:
        return Asking(
            Chain(self.questions, chain or ("shop",)),
            others=lambda: [GARDEN],
            begin=self.begin,
            until=left_s,
            monotonic=lambda: 0.0,
        )


def test_what_is_offered_is_answered_and_kept_with_the_turn() -> None:
    house = House()

    assert house.asking().ask("garden", "watering", {"plant": "basil"}) == "every week"

    ((name, entry, arguments, seconds, chain),) = house.begun
    assert (name, entry, arguments, seconds) == ("garden", "offer:watering", {"plant": "basil"}, ANSWER_TIMEOUT_S)
    assert chain.skills == ("shop",)
    assert house.uses == [ToolUse("garden", "watering, asked by shop", "done", 0)]


def test_it_may_take_no_longer_than_the_run_that_asks() -> None:
    house = House()

    house.asking(left_s=7.0).ask("garden", "watering", {"plant": "basil"})

    assert house.begun[0][3] == 7.0


@pytest.mark.parametrize(
    ("skill", "what", "arguments", "error", "word"),
    [
        ("garden", "secret", {}, Invalid, "offers no 'secret'. It offers: watering"),
        ("garden", "watering", {}, Invalid, "plant is missing"),
        ("garden", "watering", {"plant": 3}, Invalid, "must be of type string"),
        ("garden", "watering", {"plant": "x", "user": "ann"}, Invalid, "user is unknown"),
        ("kitchen", "cook", {}, NotAvailable, "not installed and enabled here"),
    ],
)
def test_what_is_not_offered_here_or_not_so_is_not_begun(
    skill: str, what: str, arguments: dict[str, Any], error: type[CapabilityError], word: str
) -> None:
    house = House()

    with pytest.raises(error, match=word):
        house.asking().ask(skill, what, arguments)

    assert house.begun == []


def test_a_circle_is_told_with_everybody_in_it() -> None:
    house = House()

    with pytest.raises(Invalid, match="in a circle: garden, shop, garden"):
        house.asking("garden", "shop").ask("garden", "watering", {"plant": "basil"})

    assert house.begun == []


def test_there_is_an_end_to_how_deep_it_goes() -> None:
    house = House()

    with pytest.raises(TooMuch, match="at most 3 deep: a0, a1, a2, garden"):
        house.asking(*(f"a{number}" for number in range(DEEPEST))).ask("garden", "watering", {"plant": "basil"})

    assert house.begun == []


def test_all_skills_of_a_turn_share_the_number_of_questions() -> None:
    house = House()
    for number in range(MOST_IN_A_TURN):
        house.asking("shop" if number % 2 else "bank").ask("garden", "watering", {"plant": "basil"})

    with pytest.raises(TooMuch, match="more than 20 times"):
        house.asking("office").ask("garden", "watering", {"plant": "basil"})

    assert len(house.begun) == MOST_IN_A_TURN


@pytest.mark.parametrize(
    ("raised", "error", "outcome"),
    [(SkillTimedOut("late"), NotAvailable, "timed out"), (SkillBroke("MARKER"), CapabilityError, "SkillBroke")],
)
def test_a_skill_that_does_not_answer_is_told_without_its_own_words(
    raised: SkillError, error: type[CapabilityError], outcome: str
) -> None:
    house = House(Answering(raised))

    with pytest.raises(error) as told:
        house.asking().ask("garden", "watering", {"plant": "basil"})

    assert "MARKER" not in str(told.value)
    assert house.uses[0].outcome == outcome


def test_a_run_that_is_over_ends_what_it_asks() -> None:
    house = House()
    asking = house.asking()
    seen: list[bool] = []

    class Slow(Answering):
        def __next__(self) -> object:
            asking.close()
            seen.append(self.is_cancelled)
            raise StopIteration

    house.run = Slow()
    asking.ask("garden", "watering", {"plant": "basil"})

    assert seen == [True]


# ---- the desk ----


def _desk(house: House, *, asks: frozenset[str], granted: frozenset[str] = frozenset({"Skills"})) -> HostDesk:
    whose = Whose(SkillId(new_id()), WorkspaceId(new_id()), UserId(new_id()))
    return HostDesk(whose, Grants(granted, asks=asks), Services(skills=house.asking()))


def _ask(desk: HostDesk, **more: Any) -> object:
    return desk.call("Skills", "ask", {"skill": "garden", "what": "watering", "arguments": {"plant": "basil"}, **more})


def test_only_a_granted_skill_is_asked() -> None:
    house = House()

    assert _ask(_desk(house, asks=frozenset({"garden"}))) == "every week"
    with pytest.raises(NotGranted, match=r"'garden' may not be asked\. Granted: kitchen"):
        _ask(_desk(house, asks=frozenset({"kitchen"})))
    with pytest.raises(NotGranted):
        _ask(_desk(house, asks=frozenset({"garden"}), granted=frozenset()))
    assert len(house.begun) == 1


@pytest.mark.parametrize("more", [{"user": "ann"}, {"chain": []}, {"arguments": []}, {"skill": 1}])
def test_a_call_says_neither_whose_turn_it_is_nor_who_asks(more: dict[str, Any]) -> None:
    house = House()

    with pytest.raises(Invalid):
        _ask(_desk(house, asks=frozenset({"garden"})), **more)

    assert house.begun == []


def test_a_job_asks_nobody() -> None:
    """It has no person in whose name the other could answer."""
    whose = Whose(SkillId(new_id()), WorkspaceId(new_id()), None)
    desk = HostDesk(whose, Grants(frozenset({"Skills"}), asks=frozenset({"garden"})), Services())

    with pytest.raises(NotAvailable):
        _ask(desk)
