"""The skill on stage: no platform, no network."""

from parlour.sdk import Passage
from parlour.sdk.testing import FakeKnowledge, Rehearsal
from parlour_customer_service import skill


def test_an_answer_names_its_source() -> None:
    rehearsal = Rehearsal(skill, knowledge=FakeKnowledge(Passage("We open at nine.", "hours.md")))

    assert rehearsal.say("When do we open at last").text == "We open at nine.\n\n[1] hours.md"


def test_what_is_not_known_is_said() -> None:
    assert Rehearsal(skill).say("Who are you?").text == "I do not know that."
