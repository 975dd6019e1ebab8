"""The judge sees each kind of wrong, and nothing wrong in what is right."""

from typing import Any

from parlour.turns.states import Mode
from parlour.turns.wording import say
from tests.chaos import judge as judging
from tests.chaos.heard import on_slack, on_telegram
from tests.chaos.judge import Special, Verdict

Json = dict[str, Any]


def judge(journal: list[Json], **more: Any) -> Verdict:
    return judging.judge(on_telegram(journal), **more)


def wrote(chat: int, message_id: int, text: str) -> Json:
    return {"what": "user_wrote", "chat": chat, "message_id": message_id, "text": text}


def sent(chat: int, message_id: int, text: str) -> Json:
    return {"what": "bot_sent", "chat": chat, "message_id": message_id, "text": text}


def edited(chat: int, message_id: int, text: str) -> Json:
    return {"what": "bot_edited", "chat": chat, "message_id": message_id, "text": text}


TWO_QUESTIONS = [wrote(1, 1, "a"), wrote(1, 2, "b")]


def test_answers_in_order_are_clean_also_when_they_grew_out_of_a_draft() -> None:
    verdict = judge(
        [*TWO_QUESTIONS, sent(1, 3, "…"), edited(1, 3, "a"), sent(1, 4, "b"), wrote(2, 1, "c"), sent(2, 2, "c")]
    )

    assert verdict.is_clean
    assert verdict.accepted == 3


def test_a_question_without_an_answer_is_lost_once_a_later_one_of_its_chat_has_one() -> None:
    verdict = judge([*TWO_QUESTIONS, sent(1, 3, "b")])

    assert verdict.lost == ("a",)
    assert not verdict.stuck


def test_a_chat_that_stands_still_is_stuck_and_not_where_a_failure_was_told() -> None:
    verdict = judge([*TWO_QUESTIONS, wrote(1, 3, "c"), sent(1, 4, "a")])
    failed = sent(1, 5, say("failed", "en", reference="4711"))

    assert verdict.stuck == ("b", "c")
    assert not verdict.lost
    assert not verdict.is_clean
    assert judge([*TWO_QUESTIONS, sent(1, 4, "a"), failed]).lost == ("b",)


def test_an_answer_in_several_messages_is_one_and_a_part_that_stands_twice_is_none_of_it() -> None:
    question = " ".join(["twelve words"] * 400)
    parts = [question[:4_094], question[4_095:]]
    told = [sent(1, place, part) for place, part in enumerate(parts, start=2)]

    assert judge([wrote(1, 1, question), *told]).is_clean
    assert not judge([wrote(1, 1, question), sent(1, 9, parts[1]), *told]).is_clean
    assert not judge([wrote(1, 1, question), sent(1, 1, parts[0]), *told]).is_clean


def test_messages_that_were_merged_are_answered_together_and_their_drafts_are_no_answers() -> None:
    assert judge([*TWO_QUESTIONS, sent(1, 3, "a\n\nb")]).is_clean
    assert judge([*TWO_QUESTIONS, sent(1, 3, "a"), sent(1, 4, "a\n\nb")]).doubled == ("a",)
    assert judge([wrote(1, 1, "a c"), wrote(1, 2, "b"), sent(1, 3, "a"), sent(1, 4, "a c\n\nb")]).left_over == ("a",)
    draft = sent(1, 3, say("merged", "en"))
    assert judge([*TWO_QUESTIONS, draft, sent(1, 4, "a\n\nb")], special=Special(mode=Mode.MERGE)).is_clean
    assert not judge([*TWO_QUESTIONS, draft, sent(1, 4, "a\n\nb")]).is_clean
    assert not judge([*TWO_QUESTIONS, draft], special=Special(mode=Mode.MERGE)).is_clean


def test_what_was_interrupted_is_answered_as_far_as_it_came_and_the_last_message_whole() -> None:
    special = Special(mode=Mode.INTERRUPT)
    asked = [wrote(1, 1, "a b c"), wrote(1, 2, "d e f"), wrote(1, 3, "g h i")]
    stopped, last = sent(1, 4, say("stopped", "en")), sent(1, 9, "g h i")

    assert judge([*asked, sent(1, 4, "a b"), last], special=special).is_clean
    assert judge([*asked, sent(1, 4, "a b"), sent(1, 5, "d"), last], special=special).is_clean
    assert judge([*asked, stopped, last], special=special).is_clean
    assert judge([*asked, last], special=special).lost == ("a b c", "d e f")
    assert judge([*asked, sent(1, 4, "a b"), sent(1, 5, "d")], special=special).stuck == ("g h i",)
    draft_and_answer = [sent(1, 4, "a b"), sent(1, 5, "a b c"), sent(1, 6, "d e f"), last]
    assert judge([*asked, *draft_and_answer], special=special).left_over == ("a b",)


def test_an_answer_that_stands_twice_is_doubled() -> None:
    assert judge([*TWO_QUESTIONS, sent(1, 3, "a"), sent(1, 4, "b"), sent(1, 5, "a")]).doubled == ("a",)


def test_an_answer_that_was_deleted_again_does_not_count() -> None:
    deleted = {"what": "bot_deleted", "chat": 1, "message_id": 5}

    assert judge([wrote(1, 1, "a"), sent(1, 4, "a"), sent(1, 5, "a"), deleted]).is_clean


def test_answers_in_another_order_than_their_questions_are_misordered() -> None:
    assert judge([*TWO_QUESTIONS, sent(1, 3, "b"), sent(1, 4, "a")]).misordered == ("b",)


def test_an_answer_in_somebody_elses_chat_is_misdirected_and_missing_in_its_own() -> None:
    verdict = judge([wrote(1, 1, "a"), wrote(2, 1, "b"), sent(2, 2, "a"), sent(2, 3, "b")])

    assert verdict.misdirected == ("a",)
    assert verdict.stuck == ("a",)


def test_a_draft_as_a_last_word_is_left_over() -> None:
    verdict = judge([wrote(1, 1, "a b c"), sent(1, 2, "a b")])

    assert verdict.left_over == ("a b",)
    assert not verdict.is_clean


def test_what_is_wrong_is_told_with_an_example() -> None:
    assert str(judge([wrote(1, 1, "a")])) == "1 accepted: stuck 1 (such as 'a')"
    assert str(judge([wrote(1, 1, "a"), sent(1, 2, "a")])) == "1 accepted: each answered once and in order"


def test_an_erased_persons_message_may_stay_without_an_answer_but_not_have_two() -> None:
    special = Special(forgotten={"a", "b"})

    assert judge([*TWO_QUESTIONS, sent(1, 3, "b")], special=special).is_clean
    assert judge([*TWO_QUESTIONS, sent(1, 3, "b"), sent(1, 4, "b")], special=special).doubled == ("b",)


def test_a_draft_that_was_out_when_its_person_was_erased_may_stay_and_nobody_elses() -> None:
    journal = [wrote(1, 1, "a b c"), sent(1, 2, "a b"), wrote(1, 3, "d e f"), sent(1, 4, "d e")]

    assert judge(journal, special=Special(forgotten={"a b c"})).left_over == ("d e",)


def test_whoever_talks_to_a_broken_skill_gets_one_word_for_each_message() -> None:
    special = Special(trouble={("telegram", 1)})

    assert judge([*TWO_QUESTIONS, sent(1, 3, "it broke"), sent(1, 4, "it broke")], special=special).is_clean
    assert judge([*TWO_QUESTIONS, sent(1, 3, "it broke")], special=special).lost == ("b",)
    told_thrice = [sent(1, place, "it broke") for place in (3, 4, 5)]
    assert judge([*TWO_QUESTIONS, *told_thrice], special=special).doubled == ("it broke",)


def test_a_flood_that_is_told_in_several_messages_is_one_answer_and_not_two() -> None:
    special = Special(trouble={("telegram", 1)})
    flood = [sent(1, 3, "x" * 4_090), sent(1, 4, "x" * 4_095), sent(1, 5, "x" * 900)]
    again = [sent(1, 6, "y" * 4_090), sent(1, 7, "y" * 900)]

    assert judge([wrote(1, 1, "/flood"), *flood], special=special).is_clean
    assert judge([wrote(1, 1, "/flood"), *flood, *again], special=special).doubled == ("y" * 4_090 + " " + "y" * 900,)


def test_an_answer_that_a_chat_was_told_may_be_missing_is_counted_apart_and_no_further_one_is() -> None:
    told = sent(1, 3, say("draft_lost", "zh"))

    assert judge([wrote(1, 1, "a"), told]).unsettled == ("a",)
    assert judge([wrote(1, 1, "a"), told]).is_clean
    assert judge([wrote(1, 1, "a"), sent(1, 2, "a"), told]).unsettled == ("",)
    assert judge([*TWO_QUESTIONS, told]).stuck == ("b",)
    assert judge([wrote(1, 1, "a"), told, wrote(2, 2, "b")]).stuck == ("b",)


def in_slack(*deeds: tuple[str, str, str]) -> list[Json]:
    """Deeds of what, time stamp and text in one channel, as the fake Slack's journal has them."""
    about = {"said": "text", "posted": "text", "appended": "piece", "stream_started": "text"}
    return [
        {"n": n, "what": what, "channel": "D1", "ts": ts, **({about[what]: text} if what in about else {})}
        for n, (what, ts, text) in enumerate(deeds)
    ]


def test_slacks_answers_are_read_out_of_posts_and_streams() -> None:
    taken = [("said", "1.0", "a b"), ("event_sent", "1.0", ""), ("event_taken", "1.0", "")]
    streamed = [("stream_started", "2.0", "a"), ("appended", "2.0", " b")]

    assert judging.judge(on_slack(in_slack(*taken, *streamed))).is_clean
    assert judging.judge(on_slack(in_slack(*taken, streamed[0]))).left_over == ("a",)
    assert judging.judge(on_slack(in_slack(*taken, *streamed, ("posted", "3.0", "a b")))).doubled == ("a b",)


def test_slacks_order_counts_where_one_event_was_taken_before_the_next_was_sent() -> None:
    answers = [("posted", "3.0", "b"), ("posted", "4.0", "a")]
    asked = [("said", "1.0", "a"), ("said", "2.0", "b")]
    one_by_one = [("event_sent", "1.0", ""), ("event_taken", "1.0", ""), ("event_sent", "2.0", "")]
    at_once = [("event_sent", "1.0", ""), ("event_sent", "2.0", ""), ("event_taken", "1.0", "")]

    assert judging.judge(on_slack(in_slack(*asked, *one_by_one, *answers))).misordered == ("b",)
    assert judging.judge(on_slack(in_slack(*asked, *at_once, *answers))).is_clean
