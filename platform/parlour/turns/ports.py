"""What turns need from messengers, queue and live bus, and the values that pass between them.

A messenger's module in `parlour.channels` implements `Messenger` (and `parlour.channels.protocol.Channel` around it);
`turns` never imports one.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Literal, Protocol

from parlour.store.ids import AccountId, ConversationId, DeliveryId, TurnId


def draft_number(turn_id: TurnId) -> int:
    """A positive number of 31 bits for the turn's draft, the same in every process: what Telegram calls drafts by."""
    return int.from_bytes(sha256(turn_id.bytes).digest()[:4]) & 0x7FFFFFFF or 1


@dataclass(frozen=True, slots=True)
class Address:
    """Where a conversation lives in a messenger: a chat, and in it a thread or topic where the messenger has them."""

    chat: str
    thread: str | None = None
    is_private: bool = True
    # What this messenger needs besides to post there (Slack: the team and user a stream is for). Never content.
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote, in the messenger's own terms. `language` is the messenger's hint, an IETF tag, if it gives one."""

    external_id: str
    name: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class IncomingAttachment:
    """A file as announced by the messenger. `reference` is what `Messenger.fetch` needs to get its bytes later.

    `content` are the bytes themselves, where they came with the message: nothing is fetched then.
    """

    name: str
    media_type: str
    reference: str
    size: int | None = None
    content: bytes | None = field(default=None, repr=False)


class IncomingKind(StrEnum):
    """What a messenger's event asks for."""

    MESSAGE = "message"
    EDIT = "edit"
    COMMAND = "command"
    FEEDBACK = "feedback"
    STOP = "stop"
    PRESS = "press"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event of a messenger, as a channel hands it to intake.

    `event_id` is unique in the account and the same in every redelivery. `is_addressed` says whether a group message
    is for the assistant (mention, reply, own thread); in private chats it is always true. `message_key` is the
    messenger's id of the message: of the edited one for an edit, of the rated one for feedback. For a command, `text`
    is `name` and its argument (`language zh`), without slash or bang. For feedback, `text` is `up` or `down`; for a
    press, the button's number under the message of that key. A stop names its turn in `text` where the messenger
    tells, by id or by `draft_number`; else it is empty and means whatever is open.
    """

    account_id: AccountId
    event_id: str
    kind: IncomingKind
    address: Address
    sender: Sender
    text: str
    message_key: str | None
    sent_at: datetime
    is_addressed: bool = True
    # The messenger's id of the message that this one answers, where it tells.
    reply_to: str | None = None
    attachments: tuple[IncomingAttachment, ...] = ()


class Verdict(StrEnum):
    """What intake did with an event. After any of them it may be acknowledged: it is committed or needs nothing."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REPLIED = "replied"  # a command or a refusal that was answered at once
    IGNORED = "ignored"  # not addressed to the assistant, or nothing in it
    REFUSED = "refused"  # blocked, unknown workspace: nothing is said


@dataclass(frozen=True, slots=True)
class Taken:
    """Intake's answer to a channel."""

    verdict: Verdict
    turn_id: TurnId | None = None
    conversation_id: ConversationId | None = None


class Intake(Protocol):
    """Takes events in. Synchronous and blocking: call it from a thread. When it returns, the event is committed."""

    def receive(self, incoming: Incoming) -> Taken:
        """Store the event and say what became of it. An exception means: not committed, do not acknowledge."""
        ...

    def receive_all(self, events: Sequence[Incoming]) -> list[Taken]:
        """The same for events that came together, in their order. An exception means: some may not be committed."""
        ...


# ---- delivering -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PostedFile:
    """A file or picture to post. `alt` is None for a file; `words`, Markdown, stand where it cannot be shown."""

    name: str
    media_type: str
    content: bytes = field(repr=False)
    alt: str | None
    words: str


@dataclass(frozen=True, slots=True)
class Post:
    """One part of an answer to put into a messenger: a text, or a file.

    `text` is one part as `Messenger.split` made it: for that messenger's own `send` to read, not always Markdown.
    `draft_key` is the messenger's id of a draft message that this part replaces (an edit, or the end of a stream);
    None means a new message. `reply_to` is the messenger's id of the message being answered. `known_keys` are ids of
    messages of ours in that chat that are certainly others.
    `key` is unique for delivery and part and the same in every attempt (`<delivery id>:<index>`). `buttons` are the
    labels to show below it; a press of one comes back as `IncomingKind.PRESS` with its number.
    """

    key: str
    delivery_id: DeliveryId
    turn_id: TurnId
    address: Address
    text: str
    index: int = 0
    count: int = 1
    draft_key: str | None = None
    reply_to: str | None = None
    language: str = "en"
    asks_feedback: bool = False
    known_keys: frozenset[str] = frozenset()
    # The message of ours in whose thread this belongs, or as a reply to which it is shown.
    under: str | None = None
    file: PostedFile | None = None
    buttons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """The messenger has it, under this id."""

    external_key: str


class Throttled(Exception):
    """The messenger refused for now and did nothing. Whoever gets this reschedules; nobody sleeps on it."""

    def __init__(self, *, retry_after_s: float, scope: Literal["chat", "account"] = "chat") -> None:
        super().__init__(f"throttled for {retry_after_s:g} s ({scope})")
        self.retry_after_s = retry_after_s
        self.scope = scope


class NotSent(Exception):
    """Certainly nothing was posted (no connection, a clear temporary refusal). Trying again is safe."""


class OutcomeUnknown(Exception):
    """The request went out and no clear answer came back: it may or may not have been posted."""


class Rejected(Exception):
    """The messenger will never take this (chat gone, bot removed). `code` is a short word for operators."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DraftLost(Exception):
    """The draft that was to be edited is gone; the part can be sent as a new message."""


class CredentialsRejected(Exception):
    """The messenger does not accept the account's token. The message names the setting and the remedy."""


class DraftStyle(StrEnum):
    """How an answer in the making can be shown at an address."""

    NONE = "none"
    EPHEMERAL = "ephemeral"  # vanishes by itself, has no id: Telegram's drafts in private chats
    MESSAGE = "message"  # a message that is edited, or a native stream: has an id that must not be lost


@dataclass(frozen=True, slots=True)
class SendLimits:
    """What a messenger allows, as token buckets: a rate per second and how many in one burst. 0 means no limit."""

    account_per_s: float = 0.0
    account_burst: int = 1
    chat_per_s: float = 0.0
    chat_burst: int = 1


class Messenger(Protocol):
    """The posting side of one account. Every method does one request or few, never waits out a limit, never retries."""

    @property
    def account_id(self) -> AccountId:
        """The account that this messenger posts as."""
        ...

    def limits(self, address: Address) -> SendLimits:
        """How fast this account may post, overall and in this chat. No limits for a server that states its own by 429
        (a local Bot API server, a fake): only the messenger's public address has the documented ones.
        """
        ...

    def split(self, markdown: str) -> list[str]:
        """`markdown` in parts that each fit one message, at least one; never inside a character, entity or code block
        without closing and reopening it. Pure and deterministic.
        """
        ...

    async def send(self, post: Post) -> Receipt:
        """Post it. Raises `Throttled`, `NotSent`, `OutcomeUnknown`, `Rejected`, `DraftLost`, `CredentialsRejected`."""
        ...

    async def settle(self, post: Post) -> Receipt | None:
        """Find out what became of a post whose outcome is unknown.

        A draft of the same turn that is found on the way (its first post was lost in the same manner, `draft_key` is
        None) is turned into this post and counts as found: nothing half-said may stay behind.
        Returns its receipt when it is there, None when it certainly is not. Raises what `send` raises; `OutcomeUnknown`
        means: still unknown, ask again later; `Rejected` means: this messenger can never tell.
        """
        ...

    def draft_style(self, address: Address) -> DraftStyle:
        """How drafts work at this address."""
        ...

    def draft_interval_s(self, address: Address) -> float:
        """The least time between two drafts at this address, from the messenger's limits."""
        ...

    async def draft(
        self, address: Address, turn_id: TurnId, text: str, *, key: str | None, reply_to: str | None
    ) -> str | None:
        """Show `text`, the whole answer so far, as a draft; first with `key=None`, then with the key it returned.

        Returns the draft's id for style MESSAGE, None otherwise. Raises what `send` raises.
        """
        ...

    async def typing(self, address: Address, turn_id: TurnId) -> None:
        """Show that an answer is being prepared. Best effort; raises what `send` raises."""
        ...

    async def fetch(self, reference: str, *, limit_bytes: int) -> bytes:
        """The bytes of an attachment. Raises `Rejected("too_large")` past the limit, else what `send` raises."""
        ...


# ---- queue and bus ----------------------------------------------------------------------------------------------


class QueueUnavailable(Exception):
    """The broker cannot be reached. The turn is safe in SQL; the sweeper publishes it when the broker is back."""


class TurnQueue(Protocol):
    """Tells workers that a turn waits. May lose, repeat and reorder; SQL is the truth."""

    def publish(self, turn_id: TurnId) -> None:
        """Tell one worker. Raises `QueueUnavailable` within a second or two when the broker is gone."""
        ...

    def publish_learning(self, turn_id: TurnId) -> None:
        """Tell one worker that something may be learned from a finished turn. Raises `QueueUnavailable`."""
        ...

    def depth(self) -> int:
        """How many published turns no worker has taken yet. Raises `QueueUnavailable`."""
        ...


class Frame(StrEnum):
    """What a frame on the live bus tells."""

    DRAFT = "draft"  # body: the whole answer so far, sealed under the key of the person answered
    READY = "ready"  # a delivery is in the ledger
    TAKEN = "taken"  # a worker began a turn: time for a typing action


@dataclass(frozen=True, slots=True)
class Live:
    """One frame on the live bus. `body` is sealed; everything else is ids."""

    frame: Frame
    account_id: AccountId
    conversation_id: ConversationId
    turn_id: TurnId
    body: bytes = b""


class LiveBus(Protocol):
    """Best-effort fan-out from workers to gateways. A lost frame costs a draft or a second's wait, never an answer."""

    def publish(self, live: Live) -> None:
        """Send to whoever listens. Never blocks for long and never raises: a lost frame is no fault."""
        ...

    def subscribe(self, account_ids: Sequence[AccountId]) -> AsyncIterator[Live]:
        """Frames of these accounts from now on, until the iterator is closed. Survives the bus being away."""
        ...
