"""A person is handed over to a human, by real processes that are killed in the middle."""

from tests.fakes.telegram import FakeTelegram
from tests.integration.e2e.conftest import telegram_variables
from tests.integration.e2e.layouts import Layout, Start
from tests.processes import until

GROUP = -100_500
ANN, KIM, LEE = 7, 8, 9


def test_a_human_takes_over_answers_and_gives_back_over_a_restart(embedded: Start, telegram: FakeTelegram) -> None:
    telegram.do("group", chat=GROUP, title="Agents")
    with embedded(**telegram_variables(telegram), PARLOUR_HANDOFF__PLACE=f"telegram:{GROUP}") as house:
        telegram.say(ANN, "where is my order?", name="Ann")
        _until_said(house, telegram, ANN, "where is my order?")
        telegram.say(ANN, "/human")
        _until_said(house, telegram, GROUP, "asks for a person")
        (request,) = telegram.messages(GROUP)

        telegram.do("press", user=KIM, chat=GROUP, message_id=request["message_id"], button=0)
        telegram.do("press", user=LEE, chat=GROUP, message_id=request["message_id"], button=0)
        _until_said(house, telegram, GROUP, "has it already")
        house.processes["up"].kill()
        telegram.say(KIM, "It comes tomorrow.", chat=GROUP, reply_to=request["message_id"])
        telegram.say(ANN, "thank you")
        house.begin("up")
        _until_said(house, telegram, GROUP, "thank you")
        telegram.say(KIM, "/done", chat=GROUP, reply_to=request["message_id"])
        _until_said(house, telegram, ANN, "talking to the assistant again")
        telegram.say(ANN, "hello again")
        _until_said(house, telegram, ANN, "hello again")

        mine, theirs = telegram.texts(ANN), telegram.texts(GROUP)
    assert [text for text in mine if "tomorrow" in text] == ["User 8: It comes tomorrow."]
    assert mine[-2] == "You are talking to the assistant again."
    # The echo says what it was told last, and knows what was said to the human.
    assert mine[-1] == "thank you\n\nhello again"
    assert [text for text in theirs if text.startswith("Ann: ")] == ["Ann: thank you"]
    assert {message.get("reply_to_message", {}).get("message_id") for message in telegram.messages(GROUP)[1:]} == {
        request["message_id"]
    }


def _until_said(house: Layout, telegram: FakeTelegram, chat: int, part: str) -> None:
    until(lambda: any(part in text for text in telegram.texts(chat)), timeout_s=60, told=lambda: house.output)
