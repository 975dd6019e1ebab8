"""Teaching, approving, open questions, handing over, satisfaction, the report."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from parlour.sdk import Buttons, Chart, Passage
from parlour.sdk.errors import NotAvailable
from parlour.sdk.testing import FakeHandoff, FakeModel, FakeStore, FakeVectors, Rehearsal
from parlour_customer_service import serving, skill
from parlour_customer_service.counting import Counting
from parlour_customer_service.learned import Learned, Pair, read_pairs
from parlour_customer_service.openings import without_personal

INVOICE = "Can I pay by invoice?"
ANSWER = "Yes, from 100 euros on."


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process remembers begins anew with each test."""
    monkeypatch.setattr(serving, "learned", Learned())
    monkeypatch.setattr(serving, "counting", Counting())


@pytest.fixture
def rehearsal() -> Rehearsal:
    return Rehearsal(skill, model=FakeModel(""))


def staff(rehearsal: Rehearsal, order: str, **turn: object) -> str:
    return rehearsal.command("service", order, user="boss", role="admin", **turn).text


def test_what_is_taught_waits_for_approval_and_is_said_after_it(rehearsal: Rehearsal) -> None:
    staff(rehearsal, f"learn {INVOICE} => {ANSWER}")
    assert "I do not know" in rehearsal.say(INVOICE).text

    assert ANSWER in staff(rehearsal, "review")
    staff(rehearsal, f"approve {Pair(INVOICE, ANSWER).id}")

    said = rehearsal.say(INVOICE).text
    assert said.startswith(f"{ANSWER} [1]")
    assert INVOICE in said.partition("Sources")[2]
    assert ANSWER in rehearsal.say("can i pay by invoice").text
    assert "I do not know" in rehearsal.say("Do you sell horses?").text


def test_several_ways_of_asking_lead_to_one_answer(rehearsal: Rehearsal) -> None:
    lines = [INVOICE, "Is payment on account possible?", "Do you send bills?"]
    staff(rehearsal, "learn " + "\n".join(f"{line} => {ANSWER}" for line in lines))
    staff(rehearsal, "learn Where is the shop? => In Main Street 1.")
    staff(rehearsal, "approve all")

    for line in lines:
        assert ANSWER in rehearsal.say(line).text
    assert "Main Street" in rehearsal.say("Where is the shop?").text


def test_what_was_forgotten_is_not_said_any_more(rehearsal: Rehearsal) -> None:
    staff(rehearsal, f"learn {INVOICE} => {ANSWER}")
    staff(rehearsal, "approve all")
    assert ANSWER in rehearsal.say(INVOICE).text

    staff(rehearsal, f"forget {Pair(INVOICE, ANSWER).id}")

    assert "I do not know" in rehearsal.say(INVOICE).text


def test_a_proposal_can_be_edited_and_rejected(rehearsal: Rehearsal) -> None:
    name = Pair(INVOICE, ANSWER).id
    staff(rehearsal, f"learn {INVOICE} => {ANSWER}")

    staff(rehearsal, f"edit {name} No, only by card.")
    assert "No, only by card." in staff(rehearsal, "review")

    staff(rehearsal, f"reject {name}")
    assert staff(rehearsal, "review") == "Nothing waits for approval."


@pytest.mark.parametrize("order", ["approve x1", "reject x1", "edit x1 y", "answer x1 y", "drop x1", "forget x1"])
def test_an_id_that_is_not_there_is_said(rehearsal: Rehearsal, order: str) -> None:
    staff(rehearsal, f"learn {INVOICE} => {ANSWER}")

    assert staff(rehearsal, order) == "There is no x1 here."


@pytest.mark.parametrize("order", ["learn a => b", "review", "approve all", "report", "open"])
def test_customers_cannot_do_what_admins_can(rehearsal: Rehearsal, order: str) -> None:
    assert rehearsal.command("service", order, role="member").text == "Only admins can do this."
    assert rehearsal.shared.documents == {}


def test_dialogues_are_imported_from_a_file(rehearsal: Rehearsal) -> None:
    lines = [
        json.dumps({"question": INVOICE, "answer": ANSWER}),
        "{broken",
        json.dumps({"问题": "几点开门？", "答案": "九点。"}, ensure_ascii=False),
        json.dumps({"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}]}),
    ]

    told = rehearsal.hand_in("dialogues", "\n".join(lines)).text

    assert told.startswith("3 taken into the queue")
    assert "lines 2" in told
    assert rehearsal.hand_in("dialogues", lines[0]).text.endswith("1 were there already.")
    assert "UTF-8" in rehearsal.hand_in("dialogues", b"\xff\xfe\x00").text


def test_csv_keeps_what_is_whole_and_names_the_rest() -> None:
    parsed = read_pairs('id,Question,Best answer\n1,"How, then?","So,\nand so."\n2,lonely\n3,When?,Now\n')

    assert parsed.pairs == (Pair("How, then?", "So,\nand so."), Pair("When?", "Now"))
    assert parsed.broken == (4,)


def test_a_question_goes_to_the_team_only_when_asked_and_without_what_points_at_a_person(rehearsal: Rehearsal) -> None:
    rehearsal.say("Do you sell horses? Mail ann@example.org or +49 171 2345678")
    assert staff(rehearsal, "open") == "No question is open."

    rehearsal.command("passon")

    shown = staff(rehearsal, "open")
    assert "Do you sell horses? Mail … or …" in shown
    assert rehearsal.command("passon").text == "There is no question of yours that I could pass on."


def test_an_open_question_that_is_answered_is_learned(rehearsal: Rehearsal) -> None:
    rehearsal.say("Do you sell horses?")
    rehearsal.command("passon")
    name = Pair("Do you sell horses?", "").id

    staff(rehearsal, f"answer {name} No, but saddles.")

    assert rehearsal.say("Do you sell horses?").text.startswith("No, but saddles. [1]")
    assert staff(rehearsal, "open") == "No question is open."


def test_open_questions_and_old_counts_are_forgotten_in_time(rehearsal: Rehearsal) -> None:
    rehearsal.say("Do you sell horses?")
    rehearsal.command("passon")
    rehearsal.clock.advance(31 * 86_400)
    rehearsal.tick("tidy")
    assert staff(rehearsal, "open") == "No question is open."

    assert "Asked 1" in staff(rehearsal, "report 90")
    rehearsal.clock.advance(60 * 86_400)
    rehearsal.tick("tidy")
    assert not [kind for kind, _ in rehearsal.shared.documents if kind == "day"]


def test_what_was_asked_in_vain_is_told_of_five_people_and_not_of_four(rehearsal: Rehearsal) -> None:
    for number in range(4):
        rehearsal.say("Any unicorns here?", user=f"user-{number}")
    assert "unicorns" not in staff(rehearsal, "report")

    rehearsal.say("I want unicorns", user="user-4")

    assert "unicorns (5)" in staff(rehearsal, "report")


def test_who_asks_a_great_deal_in_vain_is_kept_within_bounds(rehearsal: Rehearsal) -> None:
    for number in range(60):
        letters = "".join(chr(ord("a") + int(digit)) for digit in f"{number:02}")
        rehearsal.say(" ".join(f"{letters}{one}x" for one in "pqrstuvw"))

    assert len([kind for kind, _ in rehearsal.store().documents if kind == "missed"]) == 200


def test_a_person_is_called_with_the_last_question(rehearsal: Rehearsal) -> None:
    rehearsal.say("Do you sell horses?")

    said = rehearsal.say("I want to talk to a human please").text

    assert said == "A person will answer you here. Before you: 0."
    assert "horses" in rehearsal.handoff.summaries[0]
    assert "1" in rehearsal.command("agent", user="bob").text


def test_where_nobody_can_take_over_it_is_said() -> None:
    class Nobody(FakeHandoff):
        async def request(self, summary: str) -> int:
            raise NotAvailable("No place for agents.")

    said = Rehearsal(skill, handoff=Nobody()).command("agent", language="zh").text

    assert "尚未设置人工客服" in said


@pytest.mark.parametrize(
    "words", ["Thanks!", "thank you very much, bye", "ok, that helped", "谢谢，没有别的问题了", "好的谢谢"]
)
def test_at_a_goodbye_satisfaction_is_asked(rehearsal: Rehearsal, words: str) -> None:
    (reply,) = rehearsal.say(words).replies

    assert isinstance(reply, Buttons)
    assert [button.says for button in reply.buttons] == ["/rate good", "/rate bad"]


@pytest.mark.parametrize("words", ["Thanks, and when do you open?", "谢谢，请问几点开门"])
def test_a_question_with_thanks_is_a_question(rehearsal: Rehearsal, words: str) -> None:
    assert "/passon" in rehearsal.say(words).text


def test_a_rating_counts_once(rehearsal: Rehearsal) -> None:
    rehearsal.say("Do you sell horses?")

    for given in ("good", "good", "bad"):
        rehearsal.command("rate", given)

    assert "rated helpful: 100% of 1" in staff(rehearsal, "report")
    assert rehearsal.command("rate", "so-so").text == "Write /rate good or /rate bad."


def test_the_report_counts_and_draws(rehearsal: Rehearsal) -> None:
    rehearsal.knowledge.passages = [Passage("We sell saddles and bridles.", "shop.md")]
    rehearsal.say("Do you sell saddles?")
    rehearsal.say("Do you repair cars?", user="bob")
    rehearsal.command("agent", user="bob")

    said = rehearsal.command("service", "report 3", role="owner")

    assert "Asked 2 · answered 1 · asked back 0 · not known 1 · handed over 1" in said.text
    assert "Deflection (asked and not handed over): 50%" in said.text
    (chart,) = (reply for reply in said.replies if isinstance(reply, Chart))
    assert len(chart.labels) == 3
    assert [series.values[-1] for series in chart.series] == [1.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("days", ["0", "91", "many"])
def test_a_report_of_impossible_days_is_refused(rehearsal: Rehearsal, days: str) -> None:
    assert "Write 1 to 90" in staff(rehearsal, f"report {days}")


def test_nothing_of_what_people_said_is_in_the_shared_documents(rehearsal: Rehearsal) -> None:
    rehearsal.say("My secret is xyzzy")
    rehearsal.command("agent")
    rehearsal.command("rate", "bad")

    assert "xyzzy" not in str(rehearsal.shared.documents)


@pytest.mark.parametrize(
    ("text", "left"),
    [("call 030 1234567", "call …"), ("a@b.de", "…"), ("see https://x.example/y", "see …"), ("5 days", "5 days")],
)
def test_what_points_at_a_person_is_left_out(text: str, left: str) -> None:
    assert without_personal(text) == left


def test_without_vectors_what_was_learned_is_found_by_its_words() -> None:
    class Away(FakeVectors):
        async def embed(self, texts: Sequence[str]) -> list[list[float]]:
            raise NotAvailable("There is no model to embed with.")

    rehearsal = Rehearsal(skill, model=FakeModel(""), vectors=Away())
    staff(rehearsal, f"learn {INVOICE} => {ANSWER}\nWhere is the shop? => In Main Street 1.")
    staff(rehearsal, "approve all")

    assert ANSWER in rehearsal.say("Can I pay by invoice").text
    assert "I do not know" in rehearsal.say("Do you sell horses?").text


def test_what_is_learned_anew_beside_a_question_does_not_disturb_it() -> None:
    shared, known = FakeStore(), Learned()

    class Meanwhile(FakeVectors):
        """While the question waits for its vector, what was learned is forgotten and another turn notices."""

        async def embed(self, texts: Sequence[str]) -> list[list[float]]:
            await shared.delete("learned", "a")
            await shared.put("state", {"revision": "2"}, id="learned")
            assert await known.find(INVOICE, shared, FakeVectors()) == []
            return await super().embed(texts)

    async def asked() -> list[str]:
        await shared.put("learned", {"id": "a", "question": INVOICE, "answer": ANSWER}, id="a")
        await shared.put("state", {"revision": "1"}, id="learned")
        await known.find(INVOICE, shared, FakeVectors())
        return [match.answer for match in await known.find(INVOICE, shared, Meanwhile())]

    assert asyncio.run(asked()) == [ANSWER]
