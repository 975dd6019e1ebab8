"""Terminals of this machine, over HTTP: `parlour chat` beside a running `parlour up`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from hmac import compare_digest
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from parlour.channels.mailbox import Event, Mailbox, OpensLive, ReadsHistory
from parlour.channels.protocol import Accounts
from parlour.channels.pull import PullMessenger
from parlour.channels.talk import TERMINAL, OwnTalk, person, register
from parlour.channels.terminal_api import API, SaidBody, SayBody, StopBody, TakenBody, User, encode, to_body
from parlour.channels.web_files import file_response
from parlour.store.clock import Clock
from parlour.store.ids import AttachmentId, MessageId
from parlour.turns.ports import Intake, LiveBus, Messenger


class TerminalChannel:
    """The `Channel` of terminals that talk to this gateway. `token` is the word that lies in the data folder: who can
    read it is a user of this machine who may.
    """

    name = TERMINAL

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
        router.get("/files/{file_id}", summary="A file of an answer", response_class=Response)(self._file)
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
        return [to_body(said) for said in await self._talk(user).recent(limit=limit)]

    async def _events(self, user: User, after: UUID | None = None) -> StreamingResponse:
        events = self._talk(user).follow(MessageId(after) if after else None)
        return StreamingResponse(
            _encoded(events), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def _file(self, file_id: UUID, user: User) -> Response:
        file = await self._talk(user).file(AttachmentId(file_id))
        if file is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return file_response(file)

    def _talk(self, user: str) -> OwnTalk:
        if self._intake is None or self._mailbox is None:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE)
        who = person(self._mailbox.account_id, user, self._folder)
        return OwnTalk(self._mailbox, self._intake, self._clock, who)


async def _encoded(events: AsyncIterator[Event]) -> AsyncIterator[str]:
    async for event in events:
        yield encode(event)
