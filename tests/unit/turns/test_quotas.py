"""What people read in their chat when one of the day's quotas is used up, from their message to what is posted."""

import pytest

from tests.fakes.turns import FakeMessenger, ScriptedEngine
from tests.support.stage import Stage, until
from tests.unit.turns.conftest import MakeStage

# An answer takes ten tokens: seven of its prompt, three of its own.
LIMITS = {"turns": 1, "tokens": 10}
WORDS = {
    "user_turns": ("You have used your 1 messages of today.", "您今天的 1 条消息已用完。"),
    "user_tokens": ("You have used your 10 tokens of today.", "您今天的 10 个词元已用完。"),
    "workspace_turns": ("Your organisation has used its 1 messages of today.", "贵组织今天的 1 条消息已用完。"),
    "workspace_tokens": ("Your organisation has used its 10 tokens of today.", "贵组织今天的 10 个词元已用完。"),
    "total_turns": (
        "All messages of today are used, and your organisation had its share.",
        "今天的全部消息额度已用完，贵组织已用完自己的份额。",
    ),
    "total_tokens": (
        "All tokens of today are used, and your organisation had its share.",
        "今天的全部词元额度已用完，贵组织已用完自己的份额。",
    ),
}
GOES_ON = ("It goes on at 00:00 UTC, in {} h {} min.", "{} 小时 {} 分钟后（UTC 00:00）可以继续。")


def used_up(make_stage: MakeStage, quota: str) -> Stage:
    """A stage on which Ann was answered, which is all that this quota allows."""
    stage = make_stage(quotas={quota: LIMITS[quota.partition("_")[2]]})
    stage.say("hello")
    stage.answer_all(ScriptedEngine(["one", "two", "three"]))
    return stage


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("quota", WORDS)
async def test_whoever_is_over_a_quota_is_told_which_and_when_it_goes_on(
    make_stage: MakeStage, quota: str, language: str
) -> None:
    stage = used_up(make_stage, quota)
    messenger = FakeMessenger(stage.account_id)
    sender = "ann" if quota.startswith("user") else "ben"

    taken = stage.say("hello", sender=sender, language=language)
    async with stage.posting(messenger):
        await until(lambda: len(messenger.texts(f"chat-{sender}")) == (2 if sender == "ann" else 1), "all is posted")

    left = 24 * 60 - stage.clock.now().hour * 60 - stage.clock.now().minute
    which, when = (texts[("en", "zh").index(language)] for texts in (WORDS[quota], GOES_ON))
    goes_on = when.format(left // 60, left % 60)
    assert messenger.texts(f"chat-{sender}")[-1] == (f"{which} {goes_on}" if language == "en" else f"{which}{goes_on}")
    assert stage.turn(taken).error == f"quota_{quota}"


@pytest.mark.parametrize("quota", ["user_turns", "user_tokens"])
def test_what_one_person_used_is_nobody_elses(make_stage: MakeStage, quota: str) -> None:
    stage = used_up(make_stage, quota)

    taken = stage.say("hello", sender="ben")
    stage.answer_all()

    assert stage.turn(taken).state == "answered"


@pytest.mark.parametrize("quota", WORDS)
def test_the_next_day_everybody_is_answered_again(make_stage: MakeStage, quota: str) -> None:
    stage = used_up(make_stage, quota)
    refused = stage.say("hello")
    stage.clock.advance(86_400)

    taken = stage.say("hello")
    stage.answer_all()

    assert (stage.turn(refused).error, stage.turn(taken).state) == (f"quota_{quota}", "answered")
