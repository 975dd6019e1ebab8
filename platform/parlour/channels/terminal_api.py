"""What goes over the wire between a terminal and a running `parlour up`: one definition for both ends."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from parlour.channels.mailbox import Away, Beat, Draft, Event, Waiting
from parlour.channels.typed import CLIENT_ID
from parlour.sdk.replies import Button
from parlour.store.ids import AttachmentId, MessageId, TurnId
from parlour.turns.ports import Verdict
from parlour.turns.said import Enclosure, Said

API: Final = "/api/v1/local"

User = Annotated[str, Field(min_length=1, max_length=64, description="The operating system's user name.")]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SayBody(_Value):
    """A message or a command."""

    user: User
    id: Annotated[str, Field(pattern=f"^{CLIENT_ID.pattern}$", description="The same again makes no second turn.")]
    text: str


class StopBody(_Value):
    """Stop the running answer."""

    user: User


class TakenBody(_Value):
    """What became of a message."""

    verdict: Verdict
    turn: UUID | None


class EnclosureBody(_Value):
    """A file or picture of an answer; its bytes are had by its id."""

    id: UUID
    name: str
    media_type: str
    size: int
    alt: str | None
    words: str


class ButtonBody(_Value):
    """What can be said next."""

    label: str
    says: str


class SaidBody(_Value):
    """One message."""

    id: UUID
    turn: UUID
    author: Literal["user", "assistant", "notice"]
    text: str
    at: datetime
    enclosures: tuple[EnclosureBody, ...] = ()
    buttons: tuple[ButtonBody, ...] = ()
    closing: str = ""


def to_body(said: Said) -> SaidBody:
    """The message as it goes over the wire."""
    return SaidBody(
        id=said.id,
        turn=said.turn_id,
        author=said.author,
        text=said.text,
        at=said.created_at,
        enclosures=tuple(EnclosureBody(**asdict(one)) for one in said.enclosures),
        buttons=tuple(ButtonBody(label=one.label, says=one.says) for one in said.buttons),
        closing=said.closing,
    )


def from_body(body: SaidBody) -> Said:
    """The message as it came."""
    return Said(
        MessageId(body.id),
        TurnId(body.turn),
        body.author,
        body.text,
        body.at,
        enclosures=tuple(Enclosure(**one.model_dump() | {"id": AttachmentId(one.id)}) for one in body.enclosures),
        buttons=tuple(Button(one.label, one.says) for one in body.buttons),
        closing=body.closing,
    )


def encode(event: Event) -> str:
    """The event as a server-sent event: one `event:` line, one `data:` line."""
    match event:
        case Said():
            name, data = "said", to_body(event).model_dump_json()
        case Draft():
            name, data = "draft", json.dumps({"turn": str(event.turn_id), "text": event.text})
        case Waiting():
            name, data = "waiting", json.dumps({"turns": [str(turn_id) for turn_id in event.turn_ids]})
        case Away():
            name, data = "away", "{}"
        case _:
            name, data = "beat", "{}"
    return f"event: {name}\ndata: {data}\n\n"


async def decode(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    """The events of a stream, line by line."""
    name = ""
    async for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield _event(name, line.removeprefix("data: "))


def _event(name: str, data: str) -> Event:
    if name == "said":
        return from_body(SaidBody.model_validate_json(data))
    values: dict[str, Any] = json.loads(data)
    match name:
        case "draft":
            return Draft(TurnId(UUID(values["turn"])), values["text"])
        case "waiting":
            return Waiting(tuple(TurnId(UUID(turn)) for turn in values["turns"]))
        case "away":
            return Away()
        case _:
            return Beat()
