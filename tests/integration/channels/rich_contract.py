"""What every messenger must do with files, pictures and buttons, as tests. See `contract`."""

import asyncio
from abc import abstractmethod
from dataclasses import replace

import pytest

from parlour.turns.ports import Address, IncomingKind, OutcomeUnknown, Post, PostedFile
from tests.integration.channels.contract import ChannelHarness, make_post, settle, until
from tests.support.pictures import png

PICTURE = PostedFile("chart.png", "image/png", png(), "Growth", "**Growth**\n\n|  | cm |\n| --- | --- |\n| Mon | 1 |")
REPORT = PostedFile("Bericht 2026 报告.csv", "text/csv", b"a,b\n1,2\n", None, "[Bericht 2026 报告.csv, 8 bytes]")
BROKEN = PostedFile("picture.png", "image/png", b"no picture at all", "A cat", "[A cat]")


class RichHarness(ChannelHarness):
    """A harness whose people see files and press buttons."""

    @abstractmethod
    def files(self, address: Address) -> list[tuple[str, bytes]]:
        """The files that people see at an address, oldest first: what is said to describe each, and its bytes."""

    @abstractmethod
    def lose_next_file_answer(self) -> None:
        """The next file is posted, but the answer is lost."""

    @abstractmethod
    def lose_next_file_request(self) -> None:
        """The next file is not posted, and the connection breaks."""

    @abstractmethod
    def refuse_files(self) -> None:
        """The server takes no more files."""

    @property
    @abstractmethod
    def place(self) -> Address:
        """A group or channel, without a thread, where agents are."""

    @abstractmethod
    def thread_of(self, address: Address, key: str) -> str | None:
        """The message in whose thread, or as an answer to which, people see that one."""

    @abstractmethod
    async def answer(self, address: Address, key: str, text: str) -> None:
        """A person answers a message of the bot in its thread."""

    @abstractmethod
    async def choose(self, address: Address, key: str, label: str) -> None:
        """A person presses the button with that label under a message."""


def post_of(address: Address, file: PostedFile, *, reply_to: str | None = None) -> Post:
    """A post of a file."""
    return replace(make_post(address, "", reply_to=reply_to), file=file)


class RichContract:
    """The tests. Subclasses give the fixture `harness`."""

    @pytest.mark.parametrize("file", [PICTURE, REPORT, BROKEN], ids=["picture", "file", "broken picture"])
    async def test_a_file_is_seen_once_with_every_byte(self, rich: RichHarness, file: PostedFile) -> None:
        receipt = await rich.messenger.send(post_of(rich.address, file))

        ((words, content),) = rich.files(rich.address)
        assert receipt.external_key
        assert (content, words) == (file.content, file.alt or file.name)

    async def test_a_file_that_the_messenger_does_not_take_is_put_into_words(self, rich: RichHarness) -> None:
        rich.refuse_files()

        await rich.messenger.send(post_of(rich.address, PICTURE))

        (said,) = rich.texts(rich.address)
        assert rich.files(rich.address) == []
        assert "Growth" in said
        assert "Mon" in said

    async def test_a_file_whose_answer_was_lost_is_found_where_it_is(self, rich: RichHarness) -> None:
        message_key = await rich.say("Question")
        post = post_of(rich.address, PICTURE, reply_to=message_key)
        rich.lose_next_file_answer()
        with pytest.raises(OutcomeUnknown):
            await rich.messenger.send(post)

        receipt = await settle(rich.messenger, post)

        assert receipt is not None
        assert [content for _, content in rich.files(rich.address)] == [PICTURE.content]

    async def test_a_file_that_never_arrived_ends_up_there_once(self, rich: RichHarness) -> None:
        message_key = await rich.say("Question")
        post = post_of(rich.address, PICTURE, reply_to=message_key)
        rich.lose_next_file_request()
        with pytest.raises(OutcomeUnknown):
            await rich.messenger.send(post)

        if await settle(rich.messenger, post) is None:
            await rich.messenger.send(post)

        assert [content for _, content in rich.files(rich.address)] == [PICTURE.content]
        assert rich.texts(rich.address) == []

    async def test_settling_a_file_leaves_other_answers_alone(self, rich: RichHarness) -> None:
        message_key = await rich.say("Question")
        text = await rich.messenger.send(make_post(rich.address, "First", reply_to=message_key))
        other = replace(PICTURE, content=png(red=10))
        before = await rich.messenger.send(post_of(rich.address, other, reply_to=message_key))
        post = post_of(rich.address, PICTURE, reply_to=message_key)
        rich.lose_next_file_answer()
        with pytest.raises(OutcomeUnknown):
            await rich.messenger.send(post)

        known = frozenset({text.external_key, before.external_key})
        receipt = await settle(rich.messenger, replace(post, known_keys=known))

        assert receipt is not None
        assert receipt.external_key not in known
        assert [content for _, content in rich.files(rich.address)] == [other.content, PICTURE.content]
        assert rich.texts(rich.address) == ["First"]

    async def test_a_pressed_button_says_which_of_which_message(self, rich: RichHarness) -> None:
        post = replace(make_post(rich.address, "Which?"), buttons=("The first", "第二个"), asks_feedback=True)
        receipt = await rich.messenger.send(post)

        await rich.choose(rich.address, receipt.external_key, "第二个")
        await until(lambda: rich.intake.committed, "the press is committed")

        (press,) = rich.intake.committed
        assert (press.kind, press.text, press.message_key) == (IncomingKind.PRESS, "1", receipt.external_key)
        assert press.address.chat == rich.address.chat
        assert press.sender.external_id

    async def test_two_presses_are_two_events_and_a_redelivered_one_is_the_same(self, rich: RichHarness) -> None:
        post = replace(make_post(rich.address, "More?"), buttons=("More",))
        receipt = await rich.messenger.send(post)

        for _ in range(2):
            await rich.choose(rich.address, receipt.external_key, "More")
        await until(lambda: len(rich.intake.committed) == 2, "both are committed")

        assert len({press.event_id for press in rich.intake.committed}) == 2

    async def test_a_draft_becomes_an_answer_with_buttons(self, rich: RichHarness) -> None:
        turn_id = make_post(rich.group_address, "").turn_id
        key = await rich.messenger.draft(rich.group_address, turn_id, "Whi", key=None, reply_to=None)
        post = replace(make_post(rich.group_address, "Which?"), turn_id=turn_id, draft_key=key, buttons=("This",))

        receipt = await rich.messenger.send(post)
        again = await rich.messenger.send(post)
        await rich.choose(rich.group_address, receipt.external_key, "This")
        await until(lambda: rich.intake.committed, "the press is committed")

        assert receipt == again
        assert rich.texts(rich.group_address) == ["Which?"]
        assert rich.intake.committed[0].kind is IncomingKind.PRESS

    async def test_what_belongs_into_a_thread_is_shown_there_and_found_there(self, rich: RichHarness) -> None:
        root = await rich.messenger.send(make_post(rich.place, "Somebody asks for a person."))
        post = replace(make_post(rich.place, "They write."), under=root.external_key)
        rich.lose_next_answer()
        with pytest.raises(OutcomeUnknown):
            await rich.messenger.send(post)

        receipt = await settle(rich.messenger, replace(post, known_keys=frozenset({root.external_key})))

        assert receipt is not None
        assert rich.thread_of(rich.place, receipt.external_key) == root.external_key

    async def test_an_answer_in_a_thread_tells_which_message_it_answers(self, rich: RichHarness) -> None:
        root = await rich.messenger.send(make_post(rich.place, "Somebody asks for a person."))

        await rich.answer(rich.place, root.external_key, "I take it")
        await until(lambda: rich.intake.committed, "the answer is committed")

        (incoming,) = rich.intake.committed
        assert incoming.is_addressed
        assert incoming.address.chat == rich.place.chat
        assert root.external_key in {incoming.reply_to, incoming.address.thread}

    async def test_a_press_that_cannot_be_committed_comes_again(self, rich: RichHarness) -> None:
        receipt = await rich.messenger.send(replace(make_post(rich.address, "More?"), buttons=("More",)))
        rich.intake.go_down()
        pressing = asyncio.create_task(rich.choose(rich.address, receipt.external_key, "More"))
        await until(lambda: rich.intake.calls, "the first try")

        rich.intake.come_back()
        await pressing
        if not rich.intake.committed and rich.unacknowledged() == 0:
            # Slack sends a press once and tells its person that it failed: pressed again, it works.
            await rich.choose(rich.address, receipt.external_key, "More")
        await until(lambda: rich.intake.committed, "it is committed in the end")

        assert len(rich.intake.committed) == 1
