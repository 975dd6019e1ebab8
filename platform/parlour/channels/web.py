"""The web chat: a page that shows what is in SQL, and four small requests that it makes."""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus
from uuid import UUID

import structlog
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from parlour.channels.mailbox import Away, Beat, Draft, Event, Mailbox, OpensLive, ReadsHistory, Waiting
from parlour.channels.protocol import Accounts
from parlour.channels.pull import PullMessenger
from parlour.channels.typed import Person
from parlour.channels.web_files import file_response
from parlour.channels.web_forms import FileField, MessageForm, RatingForm, StopForm, fields_of, is_json
from parlour.channels.web_markdown import to_html
from parlour.channels.web_page import CONTENT_SECURITY_POLICY, FILES_PATH, STATIC_PATH, ChatPage
from parlour.channels.web_session import Session, keep, new_session, session_of
from parlour.channels.web_texts import TEXTS, choose_language
from parlour.origin import is_same_origin
from parlour.privacy.errors import PrivacyError
from parlour.store.clock import Clock
from parlour.store.errors import StoreError
from parlour.store.ids import AttachmentId, MessageId, TurnId, new_id
from parlour.turns.ports import Incoming, IncomingAttachment, Intake, LiveBus, Messenger, Taken, Verdict
from parlour.turns.said import Said

log = structlog.get_logger()

_EVENT_STREAM_HEADERS = {
    "Cache-Control": "no-store",
    # Proxies that gather a stream before passing it on would hold back every draft.
    "X-Accel-Buffering": "no",
}
_RETRY_AFTER = {"Retry-After": "2"}

Handler = Callable[[Request, Person, "Session"], Awaitable[Response]]


class WebChannel:
    """The `Channel` of the web page. Any number of gateways serve one conversation at once: SQL is all they share."""

    name = "web"

    def __init__(
        self,
        *,
        history: ReadsHistory,
        bus: LiveBus,
        sealer: OpensLive,
        clock: Clock,
        title: str = "Parlour",
        is_secure: bool = False,
        max_attachment_bytes: int = 10_000_000,
    ) -> None:
        self._history, self._bus, self._sealer, self._clock = history, bus, sealer, clock
        self._is_secure = is_secure
        self._max_attachment_bytes = max_attachment_bytes
        self._page = ChatPage(title, file_bytes=max_attachment_bytes)
        self._intake: Intake | None = None
        self._mailbox: Mailbox | None = None

    # ---- Channel ----

    async def open(self, intake: Intake, accounts: Accounts) -> None:
        """Register the account. There is no messenger that could refuse."""
        account_id = await asyncio.to_thread(accounts.register, self.name, "web", "Web chat")
        self._intake = intake
        self._mailbox = Mailbox(account_id, self._history, self._bus, self._sealer)

    async def receive(self) -> None:
        """Hand live frames to open pages until cancelled."""
        await self._open_mailbox.run()

    def routes(self) -> Sequence[BaseRoute]:
        """The page and its requests."""
        return (
            Route("/", self._show, methods=["GET"]),
            Route("/chat/messages", self._posted(self._message), methods=["POST"]),
            Route("/chat/feedback", self._posted(self._rate), methods=["POST"]),
            Route("/chat/stop", self._posted(self._stop), methods=["POST"]),
            Route("/chat/history", self._recent, methods=["GET"]),
            Route("/chat/events", self._events, methods=["GET"]),
            Route(f"{FILES_PATH}/{{id:uuid}}", self._file, methods=["GET"]),
            Route(f"{STATIC_PATH}/{{name}}", self._static, methods=["GET"]),
        )

    def messengers(self) -> Sequence[Messenger]:
        """One that never sends."""
        return [PullMessenger(self._mailbox.account_id)] if self._mailbox else []

    async def close(self) -> None:
        """End the event streams of open pages; browsers come back by themselves."""
        if self._mailbox:
            self._mailbox.close()

    @property
    def _open_mailbox(self) -> Mailbox:
        if self._mailbox is None:
            # The gateway already listens, its databases are not ready yet.
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, headers=_RETRY_AFTER)
        return self._mailbox

    # ---- the page ----

    async def _show(self, request: Request) -> Response:
        """The page; a browser without a session gets one."""
        language = _language(request)
        session = session_of(request) or new_session()
        said: Sequence[Said] = ()
        waiting: tuple[TurnId, ...] = ()
        problem, status = "", HTTPStatus.OK
        try:
            if not session.is_new:
                said, waiting = await self._open_mailbox.recent(self._person(request, session).address)
        except (StoreError, PrivacyError) as error:
            log.warning("chat_page_unreadable", reason=type(error).__name__)
            # The page all the same: it connects by itself when the database is back.
            problem, status = TEXTS[language]["away"], HTTPStatus.SERVICE_UNAVAILABLE
        html = self._page.chat(said, waiting, language=language, problem=problem)
        headers = {
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Cache-Control": "no-store",
            "Vary": "Accept-Language, Cookie",
        }
        response = HTMLResponse(html, status_code=status, headers=headers)
        keep(response, session, is_secure=self._is_secure)
        return response

    async def _static(self, request: Request) -> Response:
        file = self._page.static.get(request.path_params["name"])
        return file.response() if file else _problem(HTTPStatus.NOT_FOUND, "No such file.")

    # ---- what the page sends ----

    def _posted(self, handle: Handler) -> Callable[[Request], Awaitable[Response]]:
        """`handle` behind what every request that changes something must pass."""

        async def guarded(request: Request) -> Response:
            if not is_same_origin(request.headers):
                return _problem(HTTPStatus.FORBIDDEN, "This request did not come from the chat page.")
            session = session_of(request)
            if session is None:
                return _problem(HTTPStatus.FORBIDDEN, TEXTS[_language(request)]["no_cookies"])
            try:
                return await handle(request, self._person(request, session), session)
            except (ValidationError, ValueError) as error:
                log.info("chat_request_invalid", reason=type(error).__name__)
                return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The request is not as the chat page makes it.")
            except (StoreError, PrivacyError) as error:
                # Not committed: the page keeps the message and sends it again under the same id.
                log.warning("chat_request_not_stored", reason=type(error).__name__)
                return _problem(HTTPStatus.SERVICE_UNAVAILABLE, TEXTS[_language(request)]["away"], _RETRY_AFTER)

        return guarded

    async def _message(self, request: Request, person: Person, session: Session) -> Response:
        fields = MessageForm.model_validate(await fields_of(request))
        attachments = [self._attachment(file) for file in fields.files]
        wrote = person.wrote(fields.text, client_id=fields.id, at=self._clock.now(), attachments=attachments)
        taken = await self._take_in(wrote)
        return self._answer(request, taken)

    async def _rate(self, request: Request, person: Person, session: Session) -> Response:
        fields = RatingForm.model_validate(await fields_of(request))
        rated = person.rated(
            TurnId(fields.turn), is_positive=fields.value == "up", client_id=str(new_id()), at=self._clock.now()
        )
        return self._answer(request, await self._take_in(rated))

    async def _stop(self, request: Request, person: Person, session: Session) -> Response:
        fields = StopForm.model_validate(await fields_of(request))
        turn_id = TurnId(fields.turn) if fields.turn else None
        taken = await self._take_in(person.stopped(turn_id, client_id=str(new_id()), at=self._clock.now()))
        return self._answer(request, taken)

    async def _take_in(self, incoming: Incoming) -> Taken:
        mailbox = self._open_mailbox
        if self._intake is None:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, headers=_RETRY_AFTER)
        taken = await asyncio.to_thread(self._intake.receive, incoming)
        mailbox.wake(incoming.address)
        return taken

    def _answer(self, request: Request, taken: Taken) -> Response:
        """For the script what became of it, for a page without script the page again."""
        if not is_json(request):
            return RedirectResponse("/#end", status_code=HTTPStatus.SEE_OTHER)
        if taken.verdict is Verdict.REFUSED:
            return _problem(HTTPStatus.FORBIDDEN, TEXTS[_language(request)]["refused"])
        return JSONResponse({"verdict": taken.verdict, "turn": str(taken.turn_id) if taken.turn_id else None})

    def _attachment(self, file: FileField) -> IncomingAttachment:
        """The file; of one that is too large only the announcement. Raises `ValueError`."""
        try:
            data = base64.b64decode(file.data, validate=True)
        except binascii.Error as error:
            raise ValueError("not base64") from error
        kept = data if len(data) <= self._max_attachment_bytes else None
        return IncomingAttachment(file.name, file.type or "application/octet-stream", "", len(data), kept)

    def _person(self, request: Request, session: Session) -> Person:
        return Person(
            self._open_mailbox.account_id, session.external_id, f"Web {session.external_id[:6]}", _language(request)
        )

    # ---- what the page reads ----

    async def _recent(self, request: Request) -> Response:
        """The newest messages as JSON."""
        session = session_of(request)
        if session is None:
            return _problem(HTTPStatus.FORBIDDEN, TEXTS[_language(request)]["no_cookies"])
        said, waiting = await self._open_mailbox.recent(self._person(request, session).address)
        show = partial(self._said, language=_language(request))
        body = {"messages": [show(one) for one in said], "waiting": [str(turn_id) for turn_id in waiting]}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    async def _file(self, request: Request) -> Response:
        """A file of an answer, for the session that was answered and no other."""
        session = session_of(request)
        if session is None:
            return _problem(HTTPStatus.FORBIDDEN, TEXTS[_language(request)]["no_cookies"])
        address = self._person(request, session).address
        try:
            file = await self._open_mailbox.file(address, AttachmentId(request.path_params["id"]))
        except (StoreError, PrivacyError) as error:
            log.warning("chat_file_unreadable", reason=type(error).__name__)
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, TEXTS[_language(request)]["away"], _RETRY_AFTER)
        # No word on whether somebody else's conversation has it.
        return file_response(file) if file else _problem(HTTPStatus.NOT_FOUND, "No such file.")

    async def _events(self, request: Request) -> Response:
        """Messages, drafts and open turns as they come, from where the browser says that it is."""
        session = session_of(request)
        if session is None:
            return _problem(HTTPStatus.FORBIDDEN, TEXTS[_language(request)]["no_cookies"])
        after = _message_id(request.headers.get("last-event-id") or request.query_params.get("after", ""))
        events = self._open_mailbox.follow(self._person(request, session).address, after=after)
        stream = self._encoded(events, _language(request))
        return StreamingResponse(stream, media_type="text/event-stream", headers=_EVENT_STREAM_HEADERS)

    async def _encoded(self, events: AsyncIterator[Event], language: str) -> AsyncIterator[str]:
        yield "retry: 1000\n\n"
        async for event in events:
            yield self._encode(event, language)

    def _encode(self, event: Event, language: str) -> str:
        match event:
            case Said():
                return _sse("said", self._said(event, language=language), event_id=str(event.id))
            case Draft():
                return _sse("draft", {"turn": str(event.turn_id), "html": str(to_html(event.text))})
            case Waiting():
                return _sse("waiting", {"turns": [str(turn_id) for turn_id in event.turn_ids]})
            case Away():
                return _sse("away", {})
            case Beat():
                return _sse("beat", {})

    def _said(self, said: Said, *, language: str) -> dict[str, object]:
        return {
            "id": str(said.id),
            "turn": str(said.turn_id),
            "author": said.author,
            "html": self._page.article(said, language),
        }


def _sse(event: str, data: object, *, event_id: str | None = None) -> str:
    """One server-sent event. JSON has no raw line breaks, so the data is one line."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {event}\ndata: {json.dumps(data)}\n\n"


def _message_id(text: str) -> MessageId | None:
    try:
        return MessageId(UUID(text))
    except ValueError:
        return None


def _language(request: Request) -> str:
    return choose_language(request.headers.get("accept-language", ""))


def _problem(status: HTTPStatus, title: str, headers: dict[str, str] | None = None) -> Response:
    body = {"title": title, "status": status.value}
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)
