"""A skill's tests need neither platform nor network."""

import pytest

from parlour.sdk import Chart, Invalid, NotAvailable, NotGranted, Skill, Skills, Text, Turn, Upload, UserStore
from parlour.sdk.capabilities import Http
from parlour.sdk.testing import FakeHttp, FakeKnowledge, FakeModel, FakeSecrets, FakeSkills, Rehearsal
from tests.unit.sdk.greenhouse import skill


def test_pieces_of_a_streamed_answer_come_one_by_one() -> None:
    rehearsal = Rehearsal(
        skill, model=FakeModel("Twice a week."), knowledge=FakeKnowledge("water basil often", "feed the cat")
    )

    said = rehearsal.say("water my basil?")

    assert said.replies == (Text("Twice "), Text("a "), Text("week. "))
    assert [passage.text for passage in rehearsal.model.passages] == ["water basil often"]


def test_each_person_has_a_store_of_their_own() -> None:
    rehearsal = Rehearsal(skill)

    rehearsal.command("plant", "ficus", user="ann")

    assert rehearsal.command("plants", user="ann").text == "ficus"
    assert rehearsal.command("plants", user="bob").text == "None yet."


def test_a_tool_is_called_with_the_models_arguments_and_the_operators_settings() -> None:
    rehearsal = Rehearsal(skill, settings={"litres": 1})

    assert rehearsal.tool("water", plant="ficus", litres=3.0, when="now") == "ficus gets 1 l now"


def test_a_job_runs_when_its_time_comes() -> None:
    page = "https://api.weather.example/?key=k"
    rehearsal = Rehearsal(skill, http=FakeHttp({page: "rain"}), secrets=FakeSecrets({"api_key": "k"}))
    rehearsal.notify.topics["weather"] = {"chat-ann"}

    rehearsal.tick("weather")

    assert rehearsal.shared.documents["state", "last"]["said"] == "rain"
    assert rehearsal.notify.told == [("chat-ann", "rain")]


def test_charts_come_as_they_are() -> None:
    assert isinstance(Rehearsal(skill).command("growth").replies[1], Chart)


def test_a_host_that_the_skill_does_not_name_is_refused_as_in_earnest() -> None:
    own = Skill("tries", "", hosts=["*.seeds.example"])

    @own.answers("Hello")
    async def hello(turn: Turn, http: Http) -> str:
        return (await http.get(turn.text)).text

    rehearsal = Rehearsal(own, http=FakeHttp({"https://api.seeds.example/": "fine"}))

    assert rehearsal.say("https://api.seeds.example/").text == "fine"
    with pytest.raises(NotGranted, match=r"evil\.example"):
        rehearsal.say("https://evil.example/")


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(Invalid, match="There are: plants, plant, growth"):
        Rehearsal(skill).command("plnts")


def test_an_erased_persons_store_is_empty_and_the_skill_is_told() -> None:
    told = []
    rehearsal = Rehearsal(tried := Skill("tried", "A skill on trial"))
    rehearsal.store("ann").documents["plant", "1"] = {"id": "1"}

    @tried.on_erased
    async def forget(user: str) -> None:
        told.append(user)

    rehearsal.erase("ann")

    assert (told, rehearsal.store("ann").documents) == (["ann"], {})


def test_another_skill_is_asked_for_a_set_answer_and_only_one_that_is_named() -> None:
    skill = Skill("shop", "Things", asks=["garden", "kitchen"])

    @skill.command("ask", "Ask")
    async def ask(turn: Turn, skills: Skills) -> str:
        return str(await skills.ask(turn.text, "watering", plant="basil"))

    stage = Rehearsal(skill, skills=FakeSkills({("garden", "watering"): lambda plant: f"{plant} every week"}))

    assert stage.command("ask", "garden").text == "basil every week"
    with pytest.raises(NotAvailable, match="kitchen"):
        stage.command("ask", "kitchen")
    with pytest.raises(NotGranted, match="garden, kitchen"):
        stage.command("ask", "bank")
    assert stage.skills.asked[0] == ("garden", "watering", {"plant": "basil"})


def test_what_a_skill_offers_is_asked_in_a_persons_name() -> None:
    skill = Skill("garden", "Plants", keeps={"plant": "plants"})

    @skill.command("plant", "Remember")
    async def plant(turn: Turn, mine: UserStore) -> None:
        await mine.put("plant", {"name": turn.text})

    @skill.offers
    async def plants(mine: UserStore) -> list[str]:
        """The plants of the person."""
        return [one["name"] for one in await mine.all("plant")]

    stage = Rehearsal(skill)
    stage.command("plant", "ficus", user="ann")

    assert stage.offer("plants", user="ann") == ["ficus"]
    assert stage.offer("plants", user="bob") == []


def test_what_was_reported_of_a_file_can_be_looked_at() -> None:
    skill = Skill("garden", "Plants")

    @skill.imports("plants", "Plants")
    async def take(upload: Upload) -> None:
        lines = b"".join([piece async for piece in upload.pieces()]).decode().splitlines()
        await upload.report(kept=len(lines) - 1, refused=1, rows={1: "is a heading"})

    stage = Rehearsal(skill)
    stage.hand_in("plants", "plant\nficus\n")

    assert (stage.upload.kept, stage.upload.refused, stage.upload.rows) == (1, 1, {1: "is a heading"})
