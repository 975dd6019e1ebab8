"""What people tell the assistant about themselves: memory, consent, linking; and admitting others."""

import json
import re
from typing import Any

import pytest
from sqlalchemy import select, update

from parlour.people import consent
from parlour.people.linking import LINK_LIFE, ids_of
from parlour.privacy.audit import tail
from parlour.privacy.classes import DataClass
from parlour.privacy.holds import add_hold, release_hold
from parlour.privacy.retention import purge_expired, redate, set_rule
from parlour.privacy.rules import Rule, Scope
from parlour.store.ids import UserId
from parlour.store.models import Conversation, Identity, User
from parlour.store.people_models import Consent, ProfileEntry, UsageDay
from parlour.turns.ports import Verdict
from parlour.turns.wording import say
from tests.fakes.turns import ScriptedEngine
from tests.support.stage import Stage
from tests.unit.turns.conftest import MakeStage

BOTH = pytest.mark.parametrize("language", ["en", "zh"])


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """A stage on which people are remembered."""
    return make_stage(personalisation={"is_on": True})


def notice(stage: Stage) -> str:
    """The last notice."""
    return stage.messages("notice")[-1]


def told(stage: Stage, command: str, **details: Any) -> str:
    """What a command is answered with."""
    assert stage.command(command, **details).verdict is Verdict.REPLIED
    return notice(stage)


def users(stage: Stage) -> list[User]:
    """All users, oldest first."""
    with stage.platform.database.read() as session:
        return list(session.scalars(select(User).order_by(User.id)))


def set_user(stage: Stage, at: int, **values: Any) -> UserId:
    """Change the user's row behind everybody's back; its id."""
    user_id = UserId(users(stage)[at].id)
    with stage.platform.database.begin() as session:
        session.execute(update(User).where(User.id == user_id).values(**values))
    return user_id


# ---- consent ----


@BOTH
def test_consent_is_asked_once_behind_the_first_answer_in_the_persons_language(stage: Stage, language: str) -> None:
    text = {"en": "hello there, how are you today?", "zh": "你好，今天怎么样？"}[language]
    stage.answered(text)
    stage.answered(text)

    assert stage.messages("notice") == [consent.TEXTS[language]]
    assert [delivery.ordinal for delivery in stage.deliveries()] == [0, 1, 0]


def steps(stage: Stage) -> list[tuple[str, str, str, str]]:
    """Each step of everybody's consent, oldest first."""
    with stage.platform.database.read() as session:
        found = session.scalars(select(Consent).order_by(Consent.id)).all()
    return [(one.decision, one.version, one.language, one.text) for one in found]


def test_what_is_decided_is_kept_with_the_words_that_were_asked(stage: Stage) -> None:
    stage.answered("hello there, how are you today?")
    stage.command("privacy yes")
    stage.command("privacy no", language="zh")

    asked = (consent.VERSION, "en", consent.TEXTS["en"])
    assert steps(stage) == [("asked", *asked), ("given", *asked), ("refused", *asked)]


@BOTH
def test_a_yes_of_somebody_unasked_is_answered_with_the_question(stage: Stage, language: str) -> None:
    assert told(stage, "privacy yes", language=language) == consent.TEXTS[language]
    assert users(stage)[0].consent == "asked"
    assert told(stage, "privacy yes", language=language) == say("privacy_yes", language)

    asked = (consent.VERSION, language, consent.TEXTS[language])
    assert steps(stage) == [("asked", *asked), ("given", *asked)]


def test_a_yes_to_words_that_changed_since_is_asked_anew(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.answered("hello there, how are you today?")
    before = ("asked", consent.VERSION, "en", consent.TEXTS["en"])
    monkeypatch.setattr(consent, "VERSION", "2099-01")
    monkeypatch.setattr(consent, "TEXTS", {"en": "May I keep more?", "zh": "?"})

    assert told(stage, "privacy yes") == "May I keep more?"
    assert users(stage)[0].consent == "asked"
    stage.command("privacy yes")

    new = ("2099-01", "en", "May I keep more?")
    assert steps(stage) == [before, ("asked", *new), ("given", *new)]


def test_a_no_needs_no_question(stage: Stage) -> None:
    stage.command("privacy no")
    stage.answered("hello there, how are you today?")

    assert users(stage)[0].consent == "refused"
    assert steps(stage) == [("refused", "", "en", "")]


def test_nobody_is_asked_in_a_group(stage: Stage) -> None:
    stage.answered("hello", chat="group", is_private=False)

    assert stage.messages("notice") == []


def test_a_guest_is_neither_asked_nor_remembered(stage: Stage) -> None:
    stage.command("help")
    set_user(stage, 0, role="guest")
    stage.answered("hello")

    assert told(stage, "privacy yes") == say("privacy_guest", "en")
    assert users(stage)[0].consent is None


@pytest.mark.parametrize("before", [[], ["privacy no"]], ids=["not asked", "refused"])
def test_without_consent_nothing_is_remembered(stage: Stage, before: list[str]) -> None:
    for command in before:
        stage.command(command)

    stage.command("memory add I live in Lisbon")
    stage.answered("remember that I live in Lisbon")

    assert stage.count(ProfileEntry) == 0
    assert stage.queue.lessons == []


@BOTH
def test_taking_consent_back_deletes_what_was_remembered_and_says_so(stage: Stage, language: str) -> None:
    stage.agree()
    stage.command("memory add I live in Lisbon")

    assert told(stage, "privacy no", language=language) == say("privacy_no", language, count=1)
    assert stage.count(ProfileEntry) == 0


def test_privacy_says_where_it_stands(stage: Stage) -> None:
    assert say("privacy_consent_none", "en") in told(stage, "privacy")
    stage.agree()
    stage.command("memory add I live in Lisbon")
    assert say("privacy_consent_given", "en", count=1) in told(stage, "privacy")
    stage.command("privacy no")
    assert say("privacy_consent_refused", "en") in told(stage, "privacy")
    assert told(stage, "privacy perhaps") == say("privacy_usage", "en")


def test_a_turn_that_may_teach_something_is_published_for_learning(stage: Stage) -> None:
    stage.agree()

    taken = stage.answered("I live in Lisbon")
    stage.answered("I live in Lisbon", chat="group", is_private=False)

    assert stage.queue.lessons == [taken.turn_id]


# ---- memory ----


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("I like green tea", "I don't like green tea"),
        ("My team has 12 people", "My team has 15 people now"),
        ("I have two children", "I have three children"),
        ("我喜欢绿茶", "我不喜欢绿茶了"),
    ],
)
def test_what_is_added_takes_the_place_of_what_it_contradicts(stage: Stage, before: str, after: str) -> None:
    stage.agree()
    stage.command(f"memory add {before}")

    language = "en" if after.isascii() else "zh"
    assert told(stage, f"memory add {after}") == say("memory_corrected", language, text=after)
    assert before not in told(stage, "memory").replace(after, "")
    assert stage.count(ProfileEntry) == 1


@BOTH
def test_memory_is_shown_and_forgotten_one_by_one(stage: Stage, language: str) -> None:
    stage.agree()
    for text in ("I live in Lisbon", "call me Ann", "I play the cello"):
        stage.command(f"memory add {text}")

    shown = told(stage, "memory", language=language)
    forgotten = told(stage, "memory forget 2", language=language)

    assert re.findall(r"^\d\. .*?(Ann|Lisbon|cello)", shown, re.MULTILINE) == ["Ann", "Lisbon", "cello"]
    assert forgotten == say("memory_forgotten", language, text="I live in Lisbon")
    assert "Lisbon" not in told(stage, "memory")
    assert told(stage, "memory forget all") == say("memory_forgot_all", "en", count=2)
    assert told(stage, "memory") == say("memory_empty", "en")


def test_what_contradicts_takes_the_place_of_what_was_remembered(stage: Stage) -> None:
    stage.agree()

    replies = [
        told(stage, f"memory add {text}")
        for text in ("I live in Lisbon", "I live in Lisbon", "I moved to Berlin", "My sister lives in Rome")
    ]

    assert [reply.split(":")[0] for reply in replies] == [
        "I will remember", "I knew that already", "I corrected what I remembered", "I will remember",
    ]  # fmt: skip
    assert stage.count(ProfileEntry) == 2


@pytest.mark.parametrize("given", ["0", "9", "-1", "1e3", "one", "²", "9" * 5000, "{0}", "<b>"])
def test_forgetting_what_is_not_there_says_so(stage: Stage, given: str) -> None:
    stage.agree()
    stage.command("memory add I live in Lisbon")

    assert told(stage, f"memory forget {given}") == say("memory_no_such", "en", given=given[:32])
    assert stage.count(ProfileEntry) == 1


def test_too_long_a_memory_is_refused(stage: Stage) -> None:
    stage.agree()

    assert told(stage, f"memory add {'x' * 301}") == say("memory_too_long", "en", limit=300)


@pytest.mark.parametrize("command", ["memory", "memory add I live in Lisbon", "link", "link ABCD-EFGH", "privacy yes"])
def test_in_a_group_nothing_private_is_said(stage: Stage, command: str) -> None:
    assert told(stage, command, chat="group", is_private=False) == say("only_private", "en")


def test_memory_half_typed_says_how_it_goes(stage: Stage) -> None:
    assert told(stage, "memory frobnicate") == say("memory_usage", "en")


def test_switched_off_nothing_is_asked_or_kept(make_stage: MakeStage) -> None:
    stage = make_stage(personalisation={"is_on": False})
    stage.answered("hello")

    assert stage.messages("notice") == []
    assert told(stage, "memory") == say("privacy_off", "en")
    assert told(stage, "privacy yes") == say("privacy_off", "en")


# ---- what the model is told ----


def asked(stage: Stage, text: str, **details: Any) -> str:
    """The system message that the question was answered under."""
    engine = ScriptedEngine()
    stage.say(text, **details)
    stage.work(stage.worker(engine))
    return engine.system


def remembered(stage: Stage) -> None:
    """Ann, who said a few things."""
    stage.agree()
    for text in ("call me Annie", "please answer briefly", "I live in Lisbon", "My cat is called Pixel"):
        stage.command(f"memory add {text}")


def test_preferences_and_what_is_relevant_go_into_the_prompt(stage: Stage) -> None:
    remembered(stage)

    system = asked(stage, "What is the weather like in Lisbon?")

    assert "Call them: Annie" in system
    assert "Length they want: please answer briefly" in system
    assert "They said: I live in Lisbon" in system
    assert "Pixel" not in system


def test_in_a_group_only_the_manner_is_told(stage: Stage) -> None:
    """Others read the answer: what one person told in private is not for them."""
    remembered(stage)

    system = asked(stage, "What is the weather like in Lisbon?", chat="group", is_private=False)

    assert "Annie" in system
    assert "Lisbon" not in system


def test_what_another_person_told_is_not_in_the_prompt(stage: Stage) -> None:
    remembered(stage)

    assert "Annie" not in asked(stage, "What is my name?", sender="ben")


def test_the_profile_stays_within_its_budget(make_stage: MakeStage) -> None:
    stage = make_stage(personalisation={"is_on": True, "prompt_tokens": 22})
    remembered(stage)

    system = asked(stage, "What is the weather like in Lisbon?")

    assert "Annie" in system
    assert "They said" not in system


# ---- under a legal hold ----


def hold_on(stage: Stage, at: int) -> str:
    """Put somebody under a legal hold; its id."""
    parts = stage.platform
    hold_id = add_hold(
        parts.database,
        parts.privacy,
        workspace_id=parts.accounts.ensure_workspace(),
        user_id=users(stage)[at].id,
        reason="a dispute",
        actor="command:test",
    )
    return str(hold_id)


def kept(stage: Stage) -> list[str]:
    """What the rows of profiles say, opened, whether anybody reads them or not."""
    opened = []
    with stage.platform.database.read() as session:
        for row in session.scalars(select(ProfileEntry).order_by(ProfileEntry.id)):
            body = stage.platform.sealer.open_text(UserId(row.user_id), ProfileEntry.body, row.id, row.body)
            opened.append(json.loads(body)["text"])
    return opened


@pytest.mark.parametrize(
    ("command", "left"),
    [
        ("privacy no", []),
        ("memory forget all", []),
        ("memory forget 1", ["I play the cello"]),
        ("memory add I moved to Berlin", ["I play the cello", "I moved to Berlin"]),
    ],
)
def test_what_is_forgotten_under_a_hold_is_out_of_use_at_once_and_goes_when_that_ends(
    stage: Stage, command: str, left: list[str]
) -> None:
    stage.agree()
    for text in ("I live in Lisbon", "I play the cello"):
        stage.command(f"memory add {text}")
    before, parts = kept(stage), stage.platform
    hold = hold_on(stage, 0)

    stage.command(command)

    parts.__dict__.pop("profiles", None)
    forever = Rule(parts.accounts.ensure_workspace(), Scope(), DataClass.PROFILE, None)
    set_rule(parts.database, parts.privacy, forever, actor="command:test")
    redate(parts.database, parts.retention)
    purge_expired(parts.database, now=stage.clock.now())
    assert set(before) <= set(kept(stage))
    assert {text for text in (*before, *left) if text in told(stage, "memory")} == set(left)
    release_hold(parts.database, parts.privacy, hold, reason="settled", actor="command:test")
    purge_expired(parts.database, now=stage.clock.now())
    assert set(kept(stage)) == set(left)


def test_what_was_forgotten_under_a_hold_can_be_told_again_beside_what_is_kept(stage: Stage) -> None:
    stage.agree()
    stage.command("memory add I live in Lisbon")
    hold_on(stage, 0)
    stage.command("memory forget all")

    again = told(stage, "memory add I live in Lisbon")

    assert again == say("memory_added", "en", text="I live in Lisbon")
    assert kept(stage) == ["I live in Lisbon", "I live in Lisbon"]


def test_linking_under_a_hold_loses_nothing_that_was_remembered(stage: Stage) -> None:
    for sender, text in (("ann", "I live in Lisbon"), ("ben", "I live in Berlin")):
        stage.agree(sender=sender)
        stage.command(f"memory add {text}", sender=sender)
    hold_on(stage, 1)

    link(stage, code_of(stage), sender="ben")

    assert {"I live in Lisbon", "I live in Berlin"} <= set(kept(stage))
    assert "Berlin" not in told(stage, "memory")


# ---- linking ----


def code_of(stage: Stage, **details: Any) -> str:
    """A code that somebody was given."""
    found = re.search(r"/link (\S+)", told(stage, "link", **details))
    assert found
    return found.group(1)


def link(stage: Stage, code: str, **details: Any) -> str:
    """What the other messenger answers to the code, confirmed."""
    return told(stage, f"link {code} yes", **details)


def test_a_code_typed_elsewhere_makes_one_person_of_two(stage: Stage) -> None:
    stage.agree()
    stage.command("memory add I live in Lisbon")
    stage.answered("hello from the other side", sender="ben")

    reply = link(stage, code_of(stage), sender="ben")

    assert reply == say("linked", "en", channels="Telegram")
    ann, ben = users(stage)
    assert (ben.state, ben.merged_into) == ("merged", ann.id)
    noted = [(one.actor, one.action, one.subject) for one in tail(stage.platform.database, stage.platform.privacy)]
    assert noted == [(f"user:{ann.id}", "user.link", str(ben.id))]
    with stage.platform.database.read() as session:
        assert set(session.scalars(select(Identity.user_id))) == {ann.id}
        assert set(session.scalars(select(Conversation.user_id))) == {ann.id}
        assert ids_of(session, UserId(ann.id)) == [ann.id, ben.id]
    assert "Lisbon" in told(stage, "memory", sender="ben")


def test_the_conversation_goes_on_and_what_was_said_stays_readable(stage: Stage) -> None:
    stage.answered("my train leaves at nine", sender="ben")
    link(stage, code_of(stage), sender="ben")
    engine = ScriptedEngine()

    stage.say("when?", sender="ben")
    stage.work(stage.worker(engine))

    assert engine.prompt == [("user", "my train leaves at nine"), ("assistant", "All well."), ("user", "when?")]


def test_the_code_is_shown_with_whose_it_is_before_it_counts(stage: Stage) -> None:
    code = code_of(stage)

    reply = told(stage, f"link {code}", sender="ben")

    assert reply == say("link_confirm", "en", name="Ann", channels="Telegram", code=code)
    assert [user.state for user in users(stage)] == ["active", "active"]


def test_a_code_works_once(stage: Stage) -> None:
    code = code_of(stage)
    link(stage, code, sender="ben")

    assert link(stage, code, sender="carl") == say("link_refused", "en")
    assert link(stage, code, sender="ben") == say("link_refused", "en")


def test_an_expired_code_links_nobody(stage: Stage) -> None:
    code = code_of(stage)
    stage.clock.advance(LINK_LIFE.total_seconds())

    assert link(stage, code, sender="ben") == say("link_refused", "en")


def test_a_newer_code_voids_the_older_one(stage: Stage) -> None:
    old = code_of(stage)
    code_of(stage)

    assert link(stage, old, sender="ben") == say("link_refused", "en")


@pytest.mark.parametrize("code", ["ABCD-EFGH", "\u202eABCD", "' OR 1=1", "x" * 5_000])
def test_a_made_up_code_links_nobody(stage: Stage, code: str) -> None:
    assert told(stage, f"link {code} yes") == say("link_refused", "en")


def test_ones_own_code_in_the_same_messenger_links_nobody(stage: Stage) -> None:
    code = code_of(stage)

    assert link(stage, code) == say("link_refused", "en")
    assert users(stage)[0].state == "active"


def test_a_blocked_persons_code_links_nobody(stage: Stage) -> None:
    code = code_of(stage)
    set_user(stage, 0, state="blocked")

    assert link(stage, code, sender="ben") == say("link_refused", "en")


def test_the_higher_role_and_the_newer_consent_stay(stage: Stage) -> None:
    stage.agree()
    stage.command("memory add I live in Lisbon")
    stage.command("privacy no", sender="ben")
    set_user(stage, 1, role="owner")

    link(stage, code_of(stage), sender="ben")

    ann, ben = users(stage)
    assert (ann.role, ben.role) == ("owner", "member")
    assert ann.consent == "refused"
    assert stage.count(ProfileEntry) == 0


def test_linking_is_no_way_around_a_quota(make_stage: MakeStage) -> None:
    stage = make_stage(quotas={"user_turns": 3})
    for sender in ("ann", "ben"):
        for _ in range(2):
            stage.answered("hello", sender=sender)

    link(stage, code_of(stage), sender="ben")
    taken = stage.say("one more", sender="ben")

    assert stage.turn(taken).error == "quota_user_turns"
    assert stage.count(UsageDay) == 1


def test_a_stranger_with_the_code_of_someone_known_needs_no_approval(make_stage: MakeStage) -> None:
    stage = make_stage(access={"policy": "pairing", "allowlist": ["telegram:ann"]})
    code = code_of(stage)
    stage.say("hello", sender="ben")

    link(stage, code, sender="ben")

    assert stage.say("hello", sender="ben").verdict is Verdict.ACCEPTED


# ---- approving ----


def test_an_admin_approves_a_stranger_in_the_chat(make_stage: MakeStage) -> None:
    stage = make_stage(access={"policy": "pairing", "allowlist": ["telegram:ann"]})
    stage.command("help")
    set_user(stage, 0, role="admin")
    stage.say("hello", sender="ben")
    code = notice(stage).split(": ")[-1]

    assert told(stage, f"approve {code} guest") == say("approved", "en")
    assert stage.say("hello", sender="ben").verdict is Verdict.ACCEPTED
    assert users(stage)[1].role == "guest"
    assert told(stage, f"approve {code}") == say("approve_unknown", "en")


@pytest.mark.parametrize("role", ["member", "guest", "auditor"])
def test_nobody_else_approves(make_stage: MakeStage, role: str) -> None:
    stage = make_stage(access={"policy": "pairing", "allowlist": ["telegram:ann"]})
    stage.command("help")
    set_user(stage, 0, role=role)
    stage.say("hello", sender="ben")
    code = notice(stage).split(": ")[-1]

    assert told(stage, f"approve {code}") == say("approve_not_you", "en")
    assert users(stage)[1].state == "pending"


@pytest.mark.parametrize("argument", ["", "CODE owner", "CODE admin"])
def test_nobody_is_approved_as_more_than_a_member(stage: Stage, argument: str) -> None:
    stage.command("help")
    set_user(stage, 0, role="owner")

    assert told(stage, f"approve {argument}".strip()) == say("approve_usage", "en")


# ---- quotas ----


def test_commands_work_with_a_used_up_quota_and_another_person_is_served(make_stage: MakeStage) -> None:
    stage = make_stage(quotas={"user_turns": 1})
    stage.answered("hello")
    stage.say("hello")

    assert told(stage, "privacy").startswith("What you write")
    assert stage.say("hello", sender="ben").verdict is Verdict.ACCEPTED


def test_a_retry_counts_as_a_turn(make_stage: MakeStage) -> None:
    stage = make_stage(quotas={"user_turns": 1})
    stage.answered("hello")

    assert stage.command("retry").verdict is Verdict.REPLIED
    assert notice(stage).startswith("You have used your 1 messages")


def test_tokens_count_when_an_answer_is_finished(make_stage: MakeStage) -> None:
    stage = make_stage(quotas={"user_tokens": 10})
    stage.answered("hello", says=["one", "two", "three"])  # seven tokens of prompt and three of answer

    assert stage.turn(stage.say("hello")).error == "quota_user_tokens"


def test_the_next_day_begins_anew(make_stage: MakeStage) -> None:
    stage = make_stage(quotas={"user_turns": 1})
    stage.answered("hello")
    stage.clock.advance(86_400)

    assert stage.say("hello").verdict is Verdict.ACCEPTED


def test_without_a_quota_nothing_is_counted(stage: Stage) -> None:
    stage.answered("hello")

    assert stage.count(UsageDay) == 0
