"""People talk in Slack, over sockets and over signed HTTP; Parlour's real processes answer."""

import pytest

from tests.fakes.slack import FakeSlack
from tests.integration.e2e.conftest import slack_variables
from tests.integration.e2e.layouts import Start
from tests.processes import until
from tests.services import free_port


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_people_are_answered_once(embedded: Start, slack: FakeSlack, mode: str) -> None:
    """A direct message and a mention in a channel, the second one's confirmation lost: each is answered once."""
    port = free_port()
    with embedded(**slack_variables(slack, mode), PARLOUR_WEB__PORT=str(port)) as house:
        if mode == "http":
            slack.do("events_url", url=f"http://127.0.0.1:{port}/slack/events")
        said = slack.say("U7", "Good morning")
        until(lambda: slack.texts(said["channel"]) == ["Good morning"], told=lambda: house.output)
        channel = slack.do("add_channel", channel="C1GENERAL")["channel"]
        slack.fault("lose", method="chat.postMessage")

        slack.say("U8", f"<@{slack.bot_user_id}> what about us?", channel=channel)
        until(lambda: any("what about us?" in text for text in slack.texts(channel)), told=lambda: house.output)
        slack.say("U7", "and good night")
        answers = ["Good morning", "and good night"]
        until(lambda: slack.texts(said["channel"]) == answers, told=lambda: house.output)

        assert len(slack.texts(channel)) == 1
        assert "what about us?" in slack.texts(channel)[0]


def test_production_answers_in_slack_too(production: Start, slack: FakeSlack) -> None:
    """Gateway and worker as processes of their own."""
    with production(**slack_variables(slack, "socket")) as house:
        said = slack.say("U7", "Good morning")

        until(lambda: slack.texts(said["channel"]) == ["Good morning"], told=lambda: house.output)
