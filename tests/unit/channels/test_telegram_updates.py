"""Updates of Telegram as events: whom they are for, what they ask, what they carry; and shapes nobody has seen yet."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.telegram_updates import Me, UnreadableUpdate, read_update
from parlour.store.ids import AccountId
from parlour.turns.ports import Address, Incoming, IncomingAttachment, IncomingKind, Sender

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ME = Me(AccountId(UUID(int=1)), 123_456, "parlour_bot", frozenset({"help", "language", "stop"}))
ANNA = {"id": 7, "is_bot": False, "first_name": "Anna", "last_name": "Li", "language_code": "zh-hans"}
PRIVATE = {"id": 7, "type": "private", "first_name": "Anna"}
GROUP = {"id": -100_5, "type": "supergroup", "title": "Team"}


def read(update: dict[str, Any]) -> Incoming | None:
    return read_update(update, ME, now=NOW)


def message(text: str | None = None, *, chat: dict[str, Any] = PRIVATE, **fields: Any) -> dict[str, Any]:
    body = (
        {"message_id": 40, "from": ANNA, "chat": chat, "date": 1_700_000_000}
        | ({"text": text} if text else {})
        | fields
    )
    return {"update_id": 900, "message": body}


def got(update: dict[str, Any]) -> Incoming:
    incoming = read(update)
    assert incoming is not None
    return incoming


# ---- messages ---------------------------------------------------------------------------------------------------


def test_a_private_message_is_read_whole() -> None:
    incoming = got(message("Hello"))

    assert incoming == Incoming(
        account_id=ME.account_id,
        event_id="900",
        kind=IncomingKind.MESSAGE,
        address=Address(chat="7", thread=None, is_private=True),
        sender=Sender("7", "Anna Li", "zh-hans"),
        text="Hello",
        message_key="40",
        sent_at=datetime.fromtimestamp(1_700_000_000, UTC),
    )


def test_a_topic_is_a_thread_of_its_own_and_a_reply_is_not() -> None:
    topic = got(message("hi", chat=GROUP, message_thread_id=12, is_topic_message=True))
    reply = got(message("hi", chat=GROUP, message_thread_id=12))

    assert topic.address == Address(chat="-1005", thread="12", is_private=False)
    assert reply.address.thread is None


def test_an_edit_tells_the_message_and_when_it_was_edited() -> None:
    body = message("Better")["message"] | {"edit_date": 1_700_000_500}

    incoming = got({"update_id": 901, "edited_message": body})

    assert (incoming.kind, incoming.event_id, incoming.message_key) == (IncomingKind.EDIT, "901", "40")
    assert incoming.sent_at == datetime.fromtimestamp(1_700_000_500, UTC)


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 1, "message": message("hi")["message"] | {"from": ANNA | {"is_bot": True}}},
        message("hi", chat={"id": -1, "type": "channel", "title": "News"}),
        message("hi", chat=GROUP, is_automatic_forward=True),
        message(new_chat_members=[ANNA]),
        message(pinned_message={"message_id": 3}),
        {
            "update_id": 1,
            "channel_post": {"message_id": 1, "chat": {"id": -1, "type": "channel"}, "date": 1, "text": "x"},
        },
        {"update_id": 1, "my_chat_member": {}},
        {"update_id": 1, "a_kind_of_next_year": {"deep": [1, 2]}},
        {"update_id": 1},
        {"update_id": 1, "edited_message": message("/language zh")["message"]},
        {"update_id": 1, "callback_query": {"id": "1", "from": ANNA, "data": "something:else", "message": {}}},
        {"update_id": 1, "callback_query": {"id": "1", "from": ANNA, "data": "feedback:up"}},
    ],
)
def test_what_is_not_for_the_assistant_is_nothing(update: dict[str, Any]) -> None:
    assert read(update) is None


# ---- whom it is for ---------------------------------------------------------------------------------------------


TEXT_MENTION = {"type": "text_mention", "offset": 0, "length": 3, "user": {"id": 123_456}}


def mention(text: str, name: str) -> dict[str, Any]:
    offset = len(text[: text.index(name)].encode("utf-16-le")) // 2
    return message(text, chat=GROUP, entities=[{"type": "mention", "offset": offset, "length": len(name)}])


@pytest.mark.parametrize(
    ("update", "is_addressed", "text"),
    [
        (message("hello all", chat=GROUP), False, "hello all"),
        (mention("@parlour_bot, what is it?", "@parlour_bot"), True, "what is it?"),
        (mention("@Parlour_Bot：你好", "@Parlour_Bot"), True, "你好"),
        (mention("😀 ask @parlour_bot about it", "@parlour_bot"), True, "😀 ask @parlour_bot about it"),
        (mention("@parlour_botany is a field", "@parlour_botany"), False, "@parlour_botany is a field"),
        (mention("ask @other_bot", "@other_bot"), False, "ask @other_bot"),
        (message("and?", chat=GROUP, reply_to_message={"from": {"id": 123_456}}), True, "and?"),
        (message("and?", chat=GROUP, reply_to_message={"from": {"id": 8}}), False, "and?"),
        (message("you", chat=GROUP, entities=[TEXT_MENTION]), True, "you"),
    ],
)
def test_in_a_group_a_message_is_for_us_when_it_says_so(update: dict[str, Any], is_addressed: bool, text: str) -> None:
    incoming = got(update)

    assert (incoming.is_addressed, incoming.text, incoming.kind) == (is_addressed, text, IncomingKind.MESSAGE)


# ---- commands ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/help", "help"),
        ("/language zh", "language zh"),
        ("/Language   zh ", "language zh"),
        ("/help@parlour_bot", "help"),
        ("/start", "help"),
        ("/start from-a-link", "help"),
        ("/whatever it is", "whatever it is"),
    ],
)
def test_in_private_a_slash_is_a_command(text: str, command: str) -> None:
    incoming = got(message(text))

    assert (incoming.kind, incoming.text) == (IncomingKind.COMMAND, command)


@pytest.mark.parametrize("text", ["/usr/bin/env", "/", "/ help", "see /help"])
def test_a_path_is_no_command(text: str) -> None:
    assert got(message(text)).kind is IncomingKind.MESSAGE


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/help", "help"),
        ("/help@parlour_bot", "help"),
        ("/weather@parlour_bot", "weather"),
        ("@parlour_bot /language zh", "language zh"),
        ("/weather", None),
        ("/help@other_bot", None),
    ],
)
def test_in_a_group_a_command_is_ours_by_name_or_because_we_know_it(text: str, command: str | None) -> None:
    incoming = read(message(text, chat=GROUP))

    assert (incoming and incoming.text) == command


# ---- what it carries --------------------------------------------------------------------------------------------


def test_of_a_photo_the_largest_size_is_taken_and_its_caption_is_the_text() -> None:
    sizes = [{"file_id": "small", "file_size": 9, "width": 9}, {"file_id": "big", "file_size": 900, "width": 90}]

    incoming = got(message(photo=sizes, caption="What is this?"))

    assert incoming.text == "What is this?"
    assert incoming.attachments == (IncomingAttachment("photo.jpg", "image/jpeg", "big", 900),)


@pytest.mark.parametrize(
    ("kind", "media", "expected"),
    [
        (
            "document",
            {"file_name": "a.pdf", "mime_type": "application/pdf", "file_size": 5},
            ("a.pdf", "application/pdf", 5),
        ),
        ("document", {}, ("file", "application/octet-stream", None)),
        ("voice", {"mime_type": "audio/ogg", "file_size": 3}, ("voice.ogg", "audio/ogg", 3)),
        ("audio", {"file_name": "song.mp3"}, ("song.mp3", "audio/mpeg", None)),
        ("video", {}, ("video.mp4", "video/mp4", None)),
        ("video_note", {}, ("video.mp4", "video/mp4", None)),
    ],
)
def test_files_are_announced_with_name_type_and_size(
    kind: str, media: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    fields: dict[str, Any] = {kind: {"file_id": "f", **media}}

    (attachment,) = got(message(**fields)).attachments

    assert (attachment.name, attachment.media_type, attachment.size, attachment.reference) == (*expected, "f")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"location": {"latitude": 52.5, "longitude": 13.4}}, "📍 52.5, 13.4"),
        ({"location": {"latitude": 1, "longitude": 2}, "venue": {"title": "Zoo"}}, "📍 Zoo, 1, 2"),
        ({"contact": {"first_name": "Bo", "phone_number": "+49"}}, "👤 Bo +49"),
        ({"poll": {"question": "Tea?", "options": [{"text": "yes"}, {"text": "no"}]}}, "📊 Tea?\n- yes\n- no"),
        ({"dice": {"emoji": "🎲", "value": 6}}, "🎲 6"),
        ({"sticker": {"file_id": "s", "emoji": "👍"}}, "👍"),
    ],
)
def test_what_is_neither_text_nor_file_is_told_in_words(fields: dict[str, Any], text: str) -> None:
    assert got(message(**fields)).text == text


# ---- buttons ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rating", ["up", "down"])
def test_a_thumb_is_feedback_on_the_message_it_stands_under(rating: str) -> None:
    query = {"id": "q", "from": ANNA, "data": f"feedback:{rating}", "message": {"message_id": 77, "chat": GROUP}}

    incoming = got({"update_id": 5, "callback_query": query})

    assert (incoming.kind, incoming.text, incoming.message_key) == (IncomingKind.FEEDBACK, rating, "77")
    assert incoming.address == Address(chat="-1005", is_private=False)


def test_the_stop_button_names_the_draft_that_it_stood_under() -> None:
    stopped = {"chat": PRIVATE, "draft_id": 55}

    incoming = got({"update_id": 5, "stopped_message_generation": stopped})

    assert (incoming.kind, incoming.text) == (IncomingKind.STOP, "55")
    assert (incoming.sender.external_id, incoming.address.chat) == ("7", "7")


# ---- shapes nobody has seen -------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["message", "edited_message", "callback_query", "stopped_message_generation", "new"]), JSON)
def test_any_shape_is_read_or_refused_in_one_way(kind: str, payload: Any) -> None:
    with suppress(UnreadableUpdate):
        read({"update_id": 1, kind: payload})


@given(
    st.sampled_from(["from", "chat", "date", "text", "entities", "photo", "document", "reply_to_message", "poll"]), JSON
)
def test_a_message_with_one_field_of_any_shape_is_read_or_refused_in_one_way(field: str, value: Any) -> None:
    with suppress(UnreadableUpdate):
        read({"update_id": 1, "message": message("hello")["message"] | {field: value}})


def test_what_cannot_be_read_is_told_without_content() -> None:
    with pytest.raises(UnreadableUpdate) as raised:
        read({"update_id": 1, "message": message("secret")["message"] | {"chat": "secret"}})

    assert "secret" not in repr(raised.value)
