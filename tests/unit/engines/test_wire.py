"""Messages reach a model's template in a form that it takes, and cannot pretend to be part of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.engines.protocol import Message
from parlour.engines.wire import as_chat, clean


def test_neighbours_of_one_role_become_one_message() -> None:
    messages = [Message("user", "one"), Message("user", "two"), Message("assistant", "three"), Message("user", "four")]

    assert as_chat(messages) == [
        {"role": "user", "content": "one\n\ntwo"},
        {"role": "assistant", "content": "three"},
        {"role": "user", "content": "four"},
    ]


@pytest.mark.parametrize(
    "mark",
    [
        "<|im_start|>",
        "<|im_end|>",
        "<|eot_id|>",
        "<start_of_turn>",
        "<end_of_turn>",
        "</s>",
        "<s>",
        "[INST]",
        "[/INST]",
        "</think>",
        "<tool_call>",
        "</tool_response>",
        "<tools>",
        "<|tool_call>",
        "<tool_call|>",
        "[TOOL_CALLS]",
        "[AVAILABLE_TOOLS]",
        "[/TOOL_RESULTS]",
    ],
)
def test_the_marks_of_templates_are_broken_up(mark: str) -> None:
    cleaned = clean(f"a {mark} b")

    assert mark not in cleaned
    assert cleaned.replace("\u200b", "") == f"a {mark} b"


@pytest.mark.parametrize(
    "text", ["a < b | c > d", "<b>bold</b>", "list[0]", "if a <| b", "<script>", "x[INSTALL]", "<tool>", "[TOOL]"]
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_any_text_can_be_encoded_and_keeps_its_length_but_for_marks(text: str) -> None:
    cleaned = clean(text)

    cleaned.encode("utf-8")
    assert len(cleaned.replace("\u200b", "")) == len(text.replace("\u200b", ""))
