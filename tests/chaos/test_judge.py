"""The judge sees each kind of wrong, and nothing wrong in what is right."""

from typing import Any

from tests.chaos.judge import judge

Json = dict[str, Any]


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


def test_a_question_without_an_answer_is_lost() -> None:
    assert judge([*TWO_QUESTIONS, sent(1, 3, "a")]).lost == ("b",)


def test_an_answer_that_stands_twice_is_doubled() -> None:
    assert judge([*TWO_QUESTIONS, sent(1, 3, "a"), sent(1, 4, "b"), sent(1, 5, "a")]).doubled == ("a",)


def test_an_answer_that_was_deleted_again_does_not_count() -> None:
    deleted = {"what": "bot_deleted", "chat": 1, "message_id": 5}

    assert judge([wrote(1, 1, "a"), sent(1, 4, "a"), sent(1, 5, "a"), deleted]).is_clean


def test_answers_in_another_order_than_their_questions_are_misordered() -> None:
    assert judge([*TWO_QUESTIONS, sent(1, 3, "b"), sent(1, 4, "a")]).misordered == ("b",)


def test_an_answer_in_somebody_elses_chat_is_misdirected_and_lost() -> None:
    verdict = judge([wrote(1, 1, "a"), wrote(2, 1, "b"), sent(2, 2, "a"), sent(2, 3, "b")])

    assert verdict.misdirected == ("a",)
    assert verdict.lost == ("a",)


def test_a_draft_as_a_last_word_is_left_over() -> None:
    verdict = judge([wrote(1, 1, "a b c"), sent(1, 2, "a b")])

    assert verdict.left_over == ("a b",)
    assert not verdict.is_clean


def test_what_is_wrong_is_told_with_an_example() -> None:
    assert str(judge([wrote(1, 1, "a")])) == "1 accepted: lost 1 (such as 'a')"
    assert str(judge([wrote(1, 1, "a"), sent(1, 2, "a")])) == "1 accepted: each answered once and in order"
