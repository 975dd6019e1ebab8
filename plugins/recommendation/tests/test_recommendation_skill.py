"""The skill on stage: no platform, no network."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from parlour.sdk import Buttons
from parlour.sdk.crowd import LEAST_PEOPLE
from parlour.sdk.testing import FakeStore, Rehearsal
from parlour_recommendation import outside, skill, trade
from parlour_recommendation.behaviour import Behaviour, behaviour
from parlour_recommendation.catalogue import rows_of, take_in
from parlour_recommendation.knowing import Knowing
from parlour_recommendation.rows import Broken, Rows

CATALOGUE = """id,title,tags,text,added
s1,Star Trail,space|adventure,,2026-01-01
s2,Moon Base,space|drama,,2026-01-01
s3,Comet,space,,2026-01-01
c1,Slow Cooker,cooking,,2026-01-01
c2,Bread at Home,cooking|baking,,2026-01-01
c3,Noodles,cooking,面条的做法,2026-01-01
g1,Roses,garden,,2026-01-01
g2,Moss,garden,,2026-01-01
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process knows is of one workspace; each test is another."""
    knowing = Knowing()
    for module in ("asking", "choosing", "outside"):
        monkeypatch.setattr(f"parlour_recommendation.{module}.knowing", knowing)
    assert trade.knowing is not knowing


@pytest.fixture
def stage() -> Rehearsal:
    rehearsal = Rehearsal(skill)
    rehearsal.hand_in("catalogue", CATALOGUE)
    return rehearsal


def _titles(text: str) -> list[str]:
    return [line.split("**")[1] for line in text.splitlines() if "**" in line]


def test_without_a_catalogue_it_says_what_to_do() -> None:
    rehearsal = Rehearsal(skill)

    assert "parlour skill import recommendation catalogue" in rehearsal.command("recommend").text
    assert "管理员" in rehearsal.command("recommend", language="zh").text
    assert rehearsal.tool("recommend_items") == []


def test_a_broken_row_is_named_and_the_rest_is_kept() -> None:
    rehearsal = Rehearsal(skill)
    rows = CATALOGUE.splitlines()
    rows.insert(4, "broken")

    said = rehearsal.hand_in("catalogue", "\n".join(rows) + "\ns1,Again,,,\n").text

    assert said.splitlines() == [
        "Kept: 8. Not kept: 2.", "Row 5 has 1 fields, the header has 5.", "Row 11 has an id that stands above already.",
    ]  # fmt: skip
    assert rehearsal.command("catalogue").text == "The catalogue has 8 items, put in on 2026-01-05."


def test_a_file_without_a_good_row_changes_nothing(stage: Rehearsal) -> None:
    said = stage.hand_in("catalogue", "id,title\n,\n").text

    assert "nothing was changed" in said
    assert "8 items" in stage.command("catalogue").text


def test_someone_new_gets_something_and_is_told_no_more_than_is_true(stage: Rehearsal) -> None:
    assert len(_titles(stage.command("recommend").text)) == 4
    assert stage.command("recommend").text.count(": it is new") == 4

    stage.clock.advance(300 * 86_400)

    assert stage.command("recommend").text.count(": to learn what you like") == 4


def test_what_was_liked_leads_to_what_is_like_it_and_is_named(stage: Rehearsal) -> None:
    stage.command("recommend", "like s1")

    said = stage.command("recommend").text

    assert set(_titles(said)[:2]) == {"Moon Base", "Comet"}
    assert "**Comet**: because you liked *Star Trail*" in said
    assert "Star Trail" not in _titles(said)


def test_the_reason_is_what_the_person_really_did(stage: Rehearsal) -> None:
    stage.command("recommend", "buy c1")

    assert "因为您买过《Slow Cooker》" in stage.command("recommend", language="zh").text


def test_in_a_group_nobody_reads_what_one_liked(stage: Rehearsal) -> None:
    stage.command("recommend", "like s1")

    assert "Star Trail" not in stage.command("recommend", is_private=False).text


def test_what_was_dismissed_never_comes_back(stage: Rehearsal) -> None:
    stage.command("recommend", "like s1")
    stage.command("recommend", "dismiss s2")

    shown = _titles(stage.command("recommend").text)
    while titles := _titles(stage.command("recommend", "more").text):
        shown += titles

    assert sorted(shown) == sorted({"Comet", "Slow Cooker", "Bread at Home", "Noodles", "Roses", "Moss"})
    assert stage.command("recommend", "more").text == "I have nothing more to recommend."


def test_what_is_asked_for_in_words_is_kept_to(stage: Rehearsal) -> None:
    assert set(_titles(stage.command("recommend", "something about cooking").text)) == {
        "Slow Cooker", "Bread at Home", "Noodles",
    }  # fmt: skip
    assert _titles(stage.command("recommend", "面条", language="zh").text) == ["Noodles"]
    assert stage.command("recommend", "xylophone").text == "I found nothing that fits."


def test_buttons_do_what_they_say(stage: Rehearsal) -> None:
    (reply,) = stage.command("recommend").replies
    assert isinstance(reply, Buttons)

    like, dismiss = reply.buttons[0], reply.buttons[1]
    name, _, text = like.says.removeprefix("/").partition(" ")

    assert "Noted: you like" in stage.command(name, text).text
    assert "will not be recommended" in stage.command(name, dismiss.says.split(" ", 1)[1]).text
    assert len(reply.buttons) == 9


def test_an_unknown_item_is_named(stage: Rehearsal) -> None:
    assert stage.command("recommend", "like nope").text == "There is no item `nope` in the catalogue."


def test_events_come_over_the_api_and_a_tool_answers_others(stage: Rehearsal) -> None:
    assert stage.event("did", item="s1", kind="like") == {"kept": True, "problem": ""}
    assert stage.event("did", item="nope", kind="view")["kept"] is False

    found = stage.tool("recommend_items", most=2)

    assert [one["id"] for one in found] in (["s2", "s3"], ["s3", "s2"])
    assert found[0]["why"] == "because you liked *Star Trail*"


def test_looking_is_kept_apart_from_liking(stage: Rehearsal) -> None:
    stage.event("did", item="s1", kind="view")
    assert "because you looked at *Star Trail*" in stage.command("recommend").text

    stage.event("did", item="s1", kind="like")
    stage.event("did", item="s1", kind="click")

    assert set(stage.store().documents) == {("liked", "s1"), ("shown", "last")}


def test_forgetting_leaves_nothing(stage: Rehearsal) -> None:
    stage.command("recommend", "like s1")
    stage.command("recommend", "dismiss s2")

    assert stage.command("recommend", "forget").text == "Forgotten: 2 things that I knew about your taste."
    assert stage.store().documents == {}


def test_nobodys_likings_are_in_what_is_shared(stage: Rehearsal) -> None:
    for number in range(LEAST_PEOPLE - 1):
        stage.event("did", user=f"p{number}", item="c1", kind="like")
        stage.event("did", user=f"p{number}", item="g1", kind="like")
    stage.tick("learn")
    few = dict(stage.shared.documents)
    stage.event("did", user="one-more", item="c1", kind="like")
    stage.event("did", user="one-more", item="g1", kind="like")
    stage.tick("learn")

    assert ("state", "own") not in few
    assert stage.shared.documents["state", "own"]["size"] == 2
    assert stage.shared.documents["state", "own"]["version"] == 1

    stage.tick("learn")

    assert stage.shared.documents["state", "own"]["version"] == 1
    assert {kind for kind, _ in stage.shared.documents} == {"catalogue", "own", "state"}


def test_what_many_like_together_is_recommended_together(stage: Rehearsal) -> None:
    for number in range(2 * LEAST_PEOPLE):
        stage.event("did", user=f"p{number}", item="s1", kind="like")
        stage.event("did", user=f"p{number}", item="g2", kind="like")
        # All else is liked by as many, each thing by others.
        for item in ("s2", "s3", "c1", "c2", "c3", "g1"):
            stage.event("did", user=f"{item}-{number}", item=item, kind="like")
    stage.tick("learn")
    stage.command("recommend", "like s1")

    assert "**Moss**: because you liked *Star Trail*" in stage.command("recommend").text


def test_a_choice_moves_the_blend_and_leaves_no_trace_of_it(stage: Rehearsal) -> None:
    stage.command("recommend", "like s1")
    stage.command("recommend")
    assert ("state", "blend") not in stage.shared.documents

    stage.command("recommend", "like s2")

    assert set(stage.shared.documents["state", "blend"]) == {"id", "weights"}


def test_a_log_teaches_without_a_person_being_kept(stage: Rehearsal) -> None:
    rows = [f"person{number},{item},like,2026-01-0{day}" for number in range(9) for day, item in ((1, "s1"), (2, "g2"))]
    log = "\n".join(["person,item,kind,time", *rows, "x,nope,like,1", "y,s1,hum,1", "z,s1,like,someday"])

    said = stage.hand_in("behaviour", log).text

    assert said.splitlines() == [
        "Kept: 18. Not kept: 3.",
        "Row 20 names an item that the catalogue has not.",
        "Row 21 has a kind that is none of buy, click, comment, dismiss, like, share, view.",
        "Row 22 has a time that is none, such as 2026-11-25T08:00 or seconds since 1970.",
        "2 items were liked by five people or more; that is what is kept of it.",
    ]
    assert "person" not in str(stage.shared.documents)
    stage.command("recommend", "like s1")
    assert _titles(stage.command("recommend").text)[0] == "Moss"


def test_only_admins_paste_items(stage: Rehearsal) -> None:
    row = '{"id": "n1", "title": "New Thing", "tags": ["space"]}'

    assert stage.command("catalogue", row).text == "Only admins can change the catalogue."
    assert stage.command("catalogue", row, role="admin").text == "Kept: 1. Not kept: 0."
    assert stage.command("catalogue", '{"id": "s1", "title": "Renamed"}', role="owner").text == "Kept: 1. Not kept: 0."

    assert "9 items" in stage.command("catalogue").text
    assert "Renamed" in stage.command("recommend", "like s1").text


def test_a_new_item_is_found_by_what_it_is_about(stage: Rehearsal) -> None:
    stage.command("recommend", "like s1")
    stage.command(
        "catalogue",
        '{"id": "n1", "title": "Fresh Orbit", "tags": "space|adventure", "added": "2026-01-05"}',
        role="owner",
    )

    assert _titles(stage.command("recommend").text)[0] == "Fresh Orbit"


def test_the_oldest_likings_make_room(stage: Rehearsal) -> None:
    store = stage.store()
    for number in range(900):
        store.documents["liked", f"old{number}"] = {
            "id": f"old{number}",
            "item": f"old{number}",
            "did": "like",
            "at": number,
        }

    stage.event("did", item="s1", kind="like")

    assert len(store.documents) == 801
    assert ("liked", "old0") not in store.documents


def test_titles_are_no_markdown(stage: Rehearsal) -> None:
    stage.hand_in("catalogue", 'id,title,url\na,"*Bold* [x](y)",https://example.org/a\nb,Bad,javascript:alert(1)\n')

    said = stage.command("recommend").text

    assert r"[\*Bold\* \[x\](y)](https://example.org/a)" in said
    assert "javascript" not in said


def test_the_job_is_due_hourly() -> None:
    handler = skill.handler("job:learn")

    assert handler.function is outside.learn
    assert handler.schedule == "1h"


def test_numbers_come_back_as_they_were_stored(stage: Rehearsal) -> None:
    made = behaviour([{"a": 5}, {"a": 6, "b": 5}, {"a": 7, "b": 9}], [("a", "b", 5)], [("b", "a", 6), ("x", "a", 9)])
    again = Behaviour.unpacked(made.packed())

    assert again.items == ("a", "b")
    assert np.array_equal(again.liked, [[5, 0], [6, 5], [7, 9]])
    assert np.array_equal(again.together, [[0, 1, 5]])
    assert np.array_equal(again.steps, [[1, 0, 6]])


class _Replaced(FakeStore):
    """A store in which another process puts another catalogue while the first page is fetched."""

    is_replaced = False

    async def get(self, kind: str, id: str) -> dict[str, Any] | None:  # noqa: A002 (its name)
        if kind == "catalogue" and not self.is_replaced:
            self.is_replaced = True
            await take_in(self, rows_of(_pieces(b"id,title\nonly,The Only One\n")), now=0.0)
        return await super().get(kind, id)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


def test_a_catalogue_that_is_replaced_while_it_is_read_is_read_again(stage: Rehearsal) -> None:
    store = _Replaced()
    store.documents = stage.shared.documents
    stage.shared = store

    assert _titles(stage.command("recommend").text) == ["The Only One"]


def test_other_skills_may_ask_what_the_person_would_like(stage: Rehearsal) -> None:
    stage.command("recommend", "like s1")

    found = stage.offer("recommend", most=2)

    assert [sorted(one) for one in found] == [["id", "title", "url", "why"]] * 2
    assert any("Star Trail" in one["why"] for one in found)
    assert stage.offer("recommend", user="bob", about="cooking", most=1)[0]["id"].startswith("c")


def test_a_file_of_which_nothing_was_kept_is_reported_so(stage: Rehearsal) -> None:
    stage.hand_in("catalogue", "id,title\n,Nobody\nx y,Two\n")

    assert (stage.upload.kept, stage.upload.refused) == (0, 2)
    assert stage.upload.rows == {2: "has no id", 3: "has an id with a space in it"}
    assert stage.command("catalogue").text.startswith("The catalogue has 8 items")


@pytest.mark.slow
def test_a_million_rows_with_a_broken_one_in_the_middle_are_read_and_it_is_named() -> None:
    """The reader alone, which is what may lose its way: rows of an open quote are not taken for one."""
    rows, kept, broken = Rows(), 0, list[Broken]()
    block = "".join(f"i{number:05},Title {number},tag\n" for number in range(10_000)).encode()

    def take(piece: bytes) -> None:
        nonlocal kept
        for one in rows.feed(piece):
            if isinstance(one, Broken):
                broken.append(one)
            else:
                kept += 1

    take(b"id,title,tags\n")
    for number in range(100):
        take(block)
        if number == 49:
            take(b'middle,"never closed,tag\n')
    assert list(rows.finish()) == []

    assert broken == [Broken(500_002, "a quote is opened and not closed")]
    assert kept == 1_000_000


@pytest.mark.slow
def test_a_large_catalogue_with_a_broken_row_is_kept_but_for_it_and_recommended_from() -> None:
    stage = Rehearsal(skill)
    lines = [f"i{number},Film {number},{'space' if number % 7 else 'garden'}" for number in range(20_000)]
    lines.insert(10_000, 'broken,"never closed,tag')

    said = stage.hand_in("catalogue", "\n".join(["id,title,tags", *lines])).text

    assert said.splitlines() == ["Kept: 20,000. Not kept: 1.", "Row 10002 a quote is opened and not closed."]
    assert (stage.upload.kept, stage.upload.rows) == (20_000, {10_002: "a quote is opened and not closed"})
    assert len(_titles(stage.command("recommend").text)) == trade.MOST_SHOWN
