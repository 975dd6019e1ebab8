"""What every messenger must do, as tests. A messenger's own test module inherits `ChannelContract` and gives a harness.

    class TestTelegram(ChannelContract):
        @pytest.fixture
        async def harness(self) -> AsyncIterator[ChannelHarness]:
            ...

The harness stands between these tests and a fake of the messenger's server; it makes people write and things go wrong.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

import pytest

from parlour.channels.protocol import Channel
from parlour.store.ids import DeliveryId, TurnId, new_id
from parlour.turns.ports import (
    Address,
    CredentialsRejected,
    DraftStyle,
    IncomingKind,
    Messenger,
    NotSent,
    OutcomeUnknown,
    Post,
    Receipt,
    Throttled,
)
from tests.fakes.intake import FakeAccounts, FakeIntake

LONG = "\n\n".join(f"Paragraph {n} says **something bold** and `code`, 然后用中文说一遍。👩‍👩‍👧" for n in range(1_500))


async def until(condition: Callable[[], object], what: str, *, deadline_s: float = 60.0) -> None:
    """Return as soon as `condition` holds; fail with `what` after the deadline."""
    ends = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > ends:
            pytest.fail(f"waited {deadline_s:g} s in vain until {what}")
        await asyncio.sleep(0.01)


class ChannelHarness(ABC):
    """One messenger under test: its channel, opened against a fake server and receiving in a task of its own."""

    channel: Channel
    intake: FakeIntake
    accounts: FakeAccounts

    @property
    def messenger(self) -> Messenger:
        """The posting side of the one account."""
        return self.channel.messengers()[0]

    @property
    @abstractmethod
    def address(self) -> Address:
        """A private conversation in which the bot may post and in which `say` writes."""

    @property
    @abstractmethod
    def group_address(self) -> Address:
        """A conversation in a group or channel, in which the bot may post."""

    @abstractmethod
    async def say(self, text: str) -> str:
        """A person writes at `address`. Returns the messenger's id of the message."""

    @abstractmethod
    def unacknowledged(self) -> int:
        """How many events the server holds that were not acknowledged."""

    @abstractmethod
    async def redeliver(self) -> None:
        """The server sends the last acknowledged event once more."""

    @abstractmethod
    def texts(self, address: Address) -> list[str]:
        """The bot's messages that people see at an address, oldest first, as visible text."""

    @abstractmethod
    def visible(self, part: str) -> str:
        """A part of `split` as people see it: without markup."""

    @abstractmethod
    def size(self, part: str) -> tuple[int, int]:
        """What a part of `split` takes and what the messenger allows, in the messenger's own units."""

    @abstractmethod
    def throttle_next(self, retry_after_s: int) -> None:
        """The next post or edit is refused for so long."""

    @abstractmethod
    def lose_next_answer(self) -> None:
        """The next post is carried out, but its answer is lost."""

    @abstractmethod
    def lose_next_request(self) -> None:
        """The next post is not carried out, and the connection breaks."""

    @abstractmethod
    def vanish(self) -> None:
        """From now on nothing listens at the server's address."""

    @abstractmethod
    def with_bad_credentials(self) -> Channel:
        """A channel of the same kind, not opened, whose token the server does not know."""


def make_post(address: Address, text: str, *, reply_to: str | None = None) -> Post:
    """A post of one part."""
    delivery_id = DeliveryId(new_id())
    return Post(
        key=f"{delivery_id}:0",
        delivery_id=delivery_id,
        turn_id=TurnId(new_id()),
        address=address,
        text=text,
        reply_to=reply_to,
    )


async def settle(messenger: Messenger, post: Post, *, deadline_s: float = 60.0) -> Receipt | None:
    """Ask until there is an answer, as the ledger does."""
    ends = time.monotonic() + deadline_s
    while True:
        try:
            return await messenger.settle(post)
        except (OutcomeUnknown, NotSent, Throttled):
            if time.monotonic() > ends:
                raise
            await asyncio.sleep(0.05)


def squeezed(text: str) -> str:
    """Text without white space: cutting may drop some."""
    return "".join(text.split())


class ChannelContract:
    """The tests. Subclasses give the fixture `harness`."""

    # ---- taking in ----------------------------------------------------------------------------------------------

    async def test_a_message_reaches_intake_with_who_where_and_when(self, harness: ChannelHarness) -> None:
        message_key = await harness.say("What is the capital of France?")
        await until(lambda: harness.intake.committed, "the message is committed")

        (incoming,) = harness.intake.committed

        assert incoming.kind is IncomingKind.MESSAGE
        assert incoming.text == "What is the capital of France?"
        assert incoming.message_key == message_key
        assert incoming.address.chat == harness.address.chat
        assert incoming.address.is_private
        assert incoming.is_addressed
        assert incoming.account_id == harness.messenger.account_id
        assert incoming.sender.external_id
        assert incoming.sent_at.tzinfo is not None
        assert 0 < len(incoming.event_id) <= 128

    async def test_messages_are_committed_in_the_order_they_were_written(self, harness: ChannelHarness) -> None:
        for number in range(20):
            await harness.say(f"message {number}")

        await until(lambda: len(harness.intake.committed) == 20, "all are committed")

        assert harness.intake.texts == [f"message {number}" for number in range(20)]

    async def test_nothing_is_acknowledged_before_it_is_committed(self, harness: ChannelHarness) -> None:
        """G1: at the moment intake commits, the server must still hold the event."""
        held: list[int] = []
        harness.intake.before_commit = lambda _: held.append(harness.unacknowledged())

        await harness.say("Hello")
        await until(lambda: harness.intake.committed, "the message is committed")

        # A server that waits long for the acknowledgement sends it once more.
        assert set(held) == {1}
        await until(lambda: harness.unacknowledged() == 0, "it is acknowledged after that")

    async def test_an_event_that_could_not_be_committed_comes_again(self, harness: ChannelHarness) -> None:
        harness.intake.go_down()
        await harness.say("Do not lose me")
        await until(lambda: harness.intake.calls, "the first try")
        assert harness.unacknowledged() == 1

        harness.intake.come_back()
        await until(lambda: harness.intake.committed, "it is committed in the end")

        assert harness.intake.texts == ["Do not lose me"]
        assert {incoming.event_id for incoming in harness.intake.calls} == {harness.intake.committed[0].event_id}

    async def test_a_redelivered_event_has_the_same_event_id(self, harness: ChannelHarness) -> None:
        """G2: that is how intake knows it."""
        await harness.say("Once")
        await until(lambda: harness.unacknowledged() == 0 and harness.intake.committed, "it is acknowledged")

        await harness.redeliver()
        await until(lambda: len(harness.intake.calls) >= 2, "it comes again")

        (committed,) = harness.intake.committed
        assert all(incoming == committed for incoming in harness.intake.calls)

    # ---- posting ------------------------------------------------------------------------------------------------

    async def test_what_is_sent_is_seen_once_and_has_a_receipt(self, harness: ChannelHarness) -> None:
        receipt = await harness.messenger.send(make_post(harness.address, "Hello **there**"))

        assert receipt.external_key
        assert harness.texts(harness.address) == ["Hello there"]

    async def test_every_part_of_a_long_answer_fits_and_nothing_of_it_is_missing(self, harness: ChannelHarness) -> None:
        parts = harness.messenger.split(LONG)

        whole = "".join(squeezed(harness.visible(part)) for part in parts)
        assert len(parts) > 1
        assert all(used <= allowed for used, allowed in map(harness.size, parts))
        assert whole.count("然后用中文说一遍。👩‍👩‍👧") == 1_500
        assert "*" not in whole
        assert harness.messenger.split(LONG) == parts

    async def test_every_part_of_a_long_answer_is_taken_by_the_server(self, harness: ChannelHarness) -> None:
        parts = harness.messenger.split(LONG)[:3]

        for part in parts:
            await harness.messenger.send(make_post(harness.address, part))

        assert len(harness.texts(harness.address)) == 3

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " \n ",
            "\x00\x07",
            "\ud83d",
            "\u202egnp.exe",
            "\u200d\u200d",
            "`" * 50,
            "<div>hi</div>",
            "[",
            "**",
            "> " * 200,
        ],
    )
    async def test_any_text_can_be_split_and_sent(self, harness: ChannelHarness, text: str) -> None:
        parts = harness.messenger.split(text)

        for part in parts:
            await harness.messenger.send(make_post(harness.address, part))

        assert len(parts) == 1
        assert len(harness.texts(harness.address)) == 1

    async def test_being_throttled_is_told_with_the_time_and_posts_nothing(self, harness: ChannelHarness) -> None:
        harness.throttle_next(17)

        with pytest.raises(Throttled) as raised:
            await harness.messenger.send(make_post(harness.address, "Hello"))

        assert raised.value.retry_after_s == pytest.approx(17)
        assert harness.texts(harness.address) == []

    async def test_a_server_that_is_not_there_means_not_sent(self, harness: ChannelHarness) -> None:
        post = make_post(harness.address, "Hello")
        harness.vanish()

        with pytest.raises(NotSent):
            await harness.messenger.send(post)

    # ---- lost answers (G5) --------------------------------------------------------------------------------------

    async def test_a_post_whose_answer_was_lost_is_found_where_it_is(self, harness: ChannelHarness) -> None:
        message_key = await harness.say("Question")
        post = make_post(harness.address, "The **answer**", reply_to=message_key)
        harness.lose_next_answer()
        with pytest.raises(OutcomeUnknown):
            await harness.messenger.send(post)

        receipt = await settle(harness.messenger, post)

        assert receipt is not None
        assert harness.texts(harness.address) == ["The answer"]

    async def test_a_post_that_never_arrived_ends_up_there_once(self, harness: ChannelHarness) -> None:
        """Settling says that it is not there, or puts it there."""
        message_key = await harness.say("Question")
        post = make_post(harness.address, "The answer", reply_to=message_key)
        harness.lose_next_request()
        with pytest.raises(OutcomeUnknown):
            await harness.messenger.send(post)

        if await settle(harness.messenger, post) is None:
            await harness.messenger.send(post)

        assert harness.texts(harness.address) == ["The answer"]

    async def test_settling_leaves_other_answers_alone(self, harness: ChannelHarness) -> None:
        message_key = await harness.say("Two questions")
        earlier = await harness.messenger.send(make_post(harness.address, "First answer", reply_to=message_key))
        post = make_post(harness.address, "Second answer", reply_to=message_key)
        harness.lose_next_answer()
        with pytest.raises(OutcomeUnknown):
            await harness.messenger.send(post)

        receipt = await settle(harness.messenger, replace(post, known_keys=frozenset({earlier.external_key})))

        assert receipt is not None
        assert receipt.external_key != earlier.external_key
        assert harness.texts(harness.address) == ["First answer", "Second answer"]

    async def test_a_settled_answer_has_the_id_that_can_be_edited(self, harness: ChannelHarness) -> None:
        message_key = await harness.say("Question")
        post = make_post(harness.address, "The answer", reply_to=message_key)
        harness.lose_next_answer()
        with pytest.raises(OutcomeUnknown):
            await harness.messenger.send(post)
        receipt = await settle(harness.messenger, post)
        assert receipt is not None

        await harness.messenger.send(replace(post, text="The changed answer", draft_key=receipt.external_key))

        assert harness.texts(harness.address) == ["The changed answer"]

    # ---- drafts -------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("place", ["private", "group"])
    async def test_a_draft_becomes_the_answer_and_nothing_of_it_stays(
        self, harness: ChannelHarness, place: str
    ) -> None:
        address = harness.address if place == "private" else harness.group_address
        if harness.messenger.draft_style(address) is DraftStyle.NONE:
            return
        turn_id = TurnId(new_id())
        key = await harness.messenger.draft(address, turn_id, "The ans", key=None, reply_to=None)
        key = await harness.messenger.draft(address, turn_id, "The answer is for", key=key, reply_to=None)
        assert (key is not None) == (harness.messenger.draft_style(address) is DraftStyle.MESSAGE)

        post = replace(make_post(address, "The answer is **forty-two**."), turn_id=turn_id, draft_key=key)
        receipt = await harness.messenger.send(post)

        assert harness.texts(address) == ["The answer is forty-two."]
        assert key is None or receipt.external_key == key

    async def test_the_same_draft_twice_is_no_error(self, harness: ChannelHarness) -> None:
        turn_id = TurnId(new_id())
        key = await harness.messenger.draft(harness.group_address, turn_id, "So far", key=None, reply_to=None)

        assert await harness.messenger.draft(harness.group_address, turn_id, "So far", key=key, reply_to=None) == key

    async def test_sending_the_end_of_a_draft_twice_is_sending_it_once(self, harness: ChannelHarness) -> None:
        turn_id = TurnId(new_id())
        key = await harness.messenger.draft(harness.group_address, turn_id, "So f", key=None, reply_to=None)
        post = replace(make_post(harness.group_address, "So far"), turn_id=turn_id, draft_key=key)

        first = await harness.messenger.send(post)
        second = await harness.messenger.send(post)

        assert first == second
        assert harness.texts(harness.group_address) == ["So far"]

    async def test_drafts_have_a_pace(self, harness: ChannelHarness) -> None:
        assert harness.messenger.draft_interval_s(harness.address) > 0
        assert harness.messenger.draft_interval_s(harness.group_address) > 0

    async def test_typing_is_no_message(self, harness: ChannelHarness) -> None:
        await harness.messenger.typing(harness.address, TurnId(new_id()))

        assert harness.texts(harness.address) == []

    # ---- credentials --------------------------------------------------------------------------------------------

    async def test_a_token_that_is_not_known_is_told_with_the_setting_and_without_the_token(
        self, harness: ChannelHarness
    ) -> None:
        channel = harness.with_bad_credentials()

        with pytest.raises(CredentialsRejected, match=rf"{channel.name}\.\w*token"):
            await channel.open(harness.intake, harness.accounts)

        await channel.close()
        await channel.close()
