"""Talking in a terminal: in this process, or over HTTP to the `parlour up` that already runs on the data folder."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from hmac import compare_digest
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal, Protocol
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.routing import BaseRoute

from parlour.channels.mailbox import Away, Draft, Event, Mailbox, OpensLive, ReadsHistory, Waiting
from parlour.channels.protocol import Accounts
from parlour.channels.pull import PullMessenger
from parlour.channels.typed import CLIENT_ID, Person
from parlour.store.clock import Clock
from parlour.store.ids import AccountId, MessageId
from parlour.turns.history import Said
from parlour.turns.ports import Incoming, Intake, LiveBus, Messenger, Taken, Verdict

NAME = "terminal"
API = "/api/v1/local"


class Talk(Protocol):
    """One person's conversation, as a terminal needs it."""

    async def say(self, text: str, *, client_id: str) -> Taken:
        """Hand a message in; the same `client_id` again makes no second turn. Raises `StoreError`, `TalkBroken`."""
        ...

    async def stop(self) -> None:
        """Stop the running answer. Raises as `say`."""
        ...

    async def recent(self, *, limit: int) -> list[Said]:
        """The newest messages, oldest first. Raises as `say`."""
        ...

    def follow(self) -> AsyncIterator[Event]:
        """What is said from now on, drafts in between."""
        ...


class TalkBroken(Exception):
    """The `parlour up` that was talked to does not answer as it should."""


class OwnTalk:
    """A conversation in this process."""

    def __init__(self, mailbox: Mailbox, intake: Intake, clock: Clock, person: Person) -> None:
        self._mailbox, self._intake, self._clock, self._person = mailbox, intake, clock, person

    async def say(self, text: str, *, client_id: str) -> Taken:
        """Hand a message in."""
        return await self._take_in(self._person.wrote(text, client_id=client_id, at=self._clock.now()))

    async def stop(self) -> None:
        """Stop the running answer."""
        await self._take_in(self._person.stopped(None, client_id=uuid4().hex, at=self._clock.now()))

    async def recent(self, *, limit: int) -> list[Said]:
        """The newest messages, oldest first."""
        said, _ = await self._mailbox.recent(self._person.address, limit=limit)
        return said

    async def follow(self, after: MessageId | None = None) -> AsyncIterator[Event]:
        """What is said from now on."""
        async for event in self._mailbox.follow(self._person.address, after=after):
            yield event

    async def _take_in(self, incoming: Incoming) -> Taken:
        taken = await asyncio.to_thread(self._intake.receive, incoming)
        self._mailbox.wake(incoming.address)
        return taken


def register(accounts: Accounts) -> AccountId:
    """The account of all terminals."""
    return accounts.register(NAME, NAME, "Terminal")


def person(account_id: AccountId, user: str, folder: str, *, language: str | None = None) -> Person:
    """Who sits at the terminal: the user of the operating system, on the machine that has this data folder."""
    return Person(account_id, f"{user}@{folder}", user, language)


def folder_id(data_dir: Path) -> str:
    """The data folder's own id, made on first sight: it parts people of the same name on two machines."""
    path = data_dir / "terminal.id"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(8))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii").strip()


# ---- over HTTP, for `parlour chat` beside a running `parlour up` ---------------------------------------------------

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


class SaidBody(_Value):
    """One message."""

    id: UUID
    turn: UUID
    author: Literal["user", "assistant", "notice"]
    text: str
    at: datetime


class TerminalChannel:
    """The `Channel` of terminals that talk to this gateway. `token` is the word that lies in the data folder: who can
    read it is a user of this machine who may.
    """

    name = NAME

    def __init__(
        self, *, history: ReadsHistory, bus: LiveBus, sealer: OpensLive, clock: Clock, folder: str, token: str
    ) -> None:
        self._history, self._bus, self._sealer, self._clock = history, bus, sealer, clock
        self._folder = folder
        self._token = token
        self._intake: Intake | None = None
        self._mailbox: Mailbox | None = None

    async def open(self, intake: Intake, accounts: Accounts) -> None:
        """Register the account."""
        account_id = await asyncio.to_thread(register, accounts)
        self._intake = intake
        self._mailbox = Mailbox(account_id, self._history, self._bus, self._sealer)

    async def receive(self) -> None:
        """Hand live frames to terminals until cancelled."""
        if self._mailbox:
            await self._mailbox.run()

    def routes(self) -> Sequence[BaseRoute]:
        """`/api/v1/local/…`, for who has the token."""
        router = APIRouter(prefix=API, tags=["local"], dependencies=[Depends(self._check)])
        router.post("/turns", summary="Say something")(self._say)
        router.post("/stop", summary="Stop the running answer")(self._stop)
        router.get("/history", summary="The newest messages")(self._recent)
        router.get("/events", summary="What is said from now on, as server-sent events", response_model=None)(
            self._events
        )
        return router.routes

    def messengers(self) -> Sequence[Messenger]:
        """One that never sends."""
        return [PullMessenger(self._mailbox.account_id)] if self._mailbox else []

    async def close(self) -> None:
        """End the event streams of terminals."""
        if self._mailbox:
            self._mailbox.close()

    async def _check(self, authorization: Annotated[str, Header()] = "") -> None:
        if not compare_digest(authorization.encode(), f"Bearer {self._token}".encode()):
            raise HTTPException(HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})

    async def _say(self, body: SayBody) -> TakenBody:
        taken = await self._talk(body.user).say(body.text, client_id=body.id)
        return TakenBody(verdict=taken.verdict, turn=taken.turn_id)

    async def _stop(self, body: StopBody) -> None:
        await self._talk(body.user).stop()

    async def _recent(self, user: User, limit: Annotated[int, Field(ge=1, le=200)] = 20) -> list[SaidBody]:
        return [_said_body(said) for said in await self._talk(user).recent(limit=limit)]

    async def _events(self, user: User, after: UUID | None = None) -> StreamingResponse:
        events = self._talk(user).follow(MessageId(after) if after else None)
        return StreamingResponse(
            _encoded(events), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    def _talk(self, user: str) -> OwnTalk:
        if self._intake is None or self._mailbox is None:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE)
        who = person(self._mailbox.account_id, user, self._folder)
        return OwnTalk(self._mailbox, self._intake, self._clock, who)


def _said_body(said: Said) -> SaidBody:
    return SaidBody(id=said.id, turn=said.turn_id, author=said.author, text=said.text, at=said.created_at)


async def _encoded(events: AsyncIterator[Event]) -> AsyncIterator[str]:
    async for event in events:
        yield encode(event)


def encode(event: Event) -> str:
    """The event as a server-sent event."""
    match event:
        case Said():
            name, data = "said", _said_body(event).model_dump_json()
        case Draft():
            name, data = "draft", json.dumps({"turn": str(event.turn_id), "text": event.text})
        case Waiting():
            name, data = "waiting", json.dumps({"turns": [str(turn_id) for turn_id in event.turn_ids]})
        case Away():
            name, data = "away", "{}"
        case _:
            name, data = "beat", "{}"
    return f"event: {name}\ndata: {data}\n\n"
