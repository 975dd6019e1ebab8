"""The Slack channel: events by Socket Mode or HTTP, acknowledged after the commit; one messenger for each workspace."""

import asyncio
import re
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Final, Literal

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from starlette.routing import BaseRoute, Route

from parlour.channels import slack_events as events
from parlour.channels.protocol import Accounts
from parlour.channels.slack_api import PUBLIC_API, SlackApi, SlackError, is_loopback, quiet_logger, session
from parlour.channels.slack_http import SlackEndpoint
from parlour.channels.slack_oauth import SlackInstall
from parlour.channels.slack_welcome import welcome
from parlour.channels.slack_workspaces import CHANNEL, Recent, SlackWorkspace, SlackWorkspaces
from parlour.privacy.errors import PrivacyError
from parlour.store.errors import StoreError
from parlour.turns.ports import CredentialsRejected, Incoming, Intake, Messenger, NotSent, OutcomeUnknown, Throttled

log = structlog.get_logger(__name__)

_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 30.0
_PING_INTERVAL_S: Final = 5.0
_LOOK_EVERY_S: Final = 30.0
# At the end, commits under way get so long to finish and be acknowledged.
_LAST_COMMITS_S: Final = 5.0
_APP_REFUSED: Final = (
    "slack.app_token: Slack does not accept it ({code}). Set it to an app-level token (xapp-…) with the scope "
    "connections:write (Basic Information, App-Level Tokens), and switch Socket Mode on."
)


class SlackChannel:
    """Slack, both ways. See `channels.protocol.Channel`.

    One workspace by `bot_token`, any number by installation (`client_id`, `client_secret`), or both. `commands` are the
    words that work behind `!` where a workspace has no slash commands.
    """

    def __init__(  # noqa: PLR0913 (all that a Slack app has)
        self,
        *,
        commands: Collection[str],
        bot_token: str = "",
        app_token: str = "",
        signing_secret: str = "",
        mode: Literal["socket", "http"] = "socket",
        base_url: str = PUBLIC_API,
        client_id: str = "",
        client_secret: str = "",
        redirect_url: str = "",
        timeout_s: float = 15.0,
        settle_after_s: float = 3.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._commands = frozenset(commands)
        self._bot_token = bot_token
        self._app_token = app_token
        self._mode = mode
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._settle_after_s = settle_after_s
        self._now = now
        self._endpoint = SlackEndpoint(signing_secret, self._dispatch, now=now)
        self._install = SlackInstall(
            client_id=client_id,
            client_secret=client_secret,
            redirect_url=redirect_url,
            api=self._anonymous,
            installed=self._installed,
            base_url=base_url,
            now=now,
        )
        self._is_installable = bool(client_id)
        self._http: aiohttp.ClientSession | None = None
        self._app: AsyncApp | None = None
        self._intake: Intake | None = None
        self._workspaces: SlackWorkspaces | None = None
        self._order = _Order()
        self._welcomed: Recent[bool] = Recent()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def name(self) -> str:
        """`slack`."""
        return CHANNEL

    # ---- opening and closing ------------------------------------------------------------------------------------

    async def open(self, intake: Intake, accounts: Accounts) -> None:
        """Check the tokens and take up every workspace. Raises `CredentialsRejected`, `NotSent` when unreachable."""
        self._intake = intake
        self._http = session(self._timeout_s)
        self._workspaces = SlackWorkspaces(
            accounts, self._http, base_url=self._base_url, settle_after_s=self._settle_after_s
        )
        if self._bot_token:
            await self._workspaces.install(self._bot_token, keeps_token=False)
        await self._workspaces.load()
        if self._mode == "socket":
            await self._check_app_token()
        self._app = self._bolt_app()

    async def _check_app_token(self) -> None:
        """Ask for a connection, as Socket Mode does, so that a wrong token is told at start."""
        try:
            await SlackApi(self._app_token, self._open_http(), base_url=self._base_url).call(
                "apps.connections.open", is_repeatable=True
            )
        except CredentialsRejected:
            raise CredentialsRejected(_APP_REFUSED.format(code="invalid_auth")) from None
        except SlackError as error:
            raise CredentialsRejected(_APP_REFUSED.format(code=error.code)) from None
        except (Throttled, OutcomeUnknown) as error:
            raise NotSent(f"apps.connections.open: {error}") from None

    def _bolt_app(self) -> AsyncApp:
        """Bolt as a router: it parses and answers; who may and what is genuine is known here.

        `process_before_response` makes it acknowledge after the listener, and not at all when the listener fails.
        """
        app = AsyncApp(
            name="parlour",
            logger=quiet_logger(),
            client=SlackApi("", self._open_http(), base_url=self._base_url).client,
            process_before_response=True,
            authorize=_authorize,
            # Checked before Bolt sees a request over HTTP; a socket is opened by us.
            request_verification_enabled=False,
            ssl_check_enabled=False,
            # `slack_events.spoken` leaves out our own messages, and those of other bots.
            ignoring_self_events_enabled=False,
            attaching_function_token_enabled=False,
            attaching_conversation_kwargs_enabled=False,
        )
        everything = re.compile(".*", re.DOTALL)
        app.event(everything)(self._on_event)
        app.command(everything)(self._on_command)
        app.action(everything)(self._on_action)
        app.error(_not_committed)
        return app

    def routes(self) -> Sequence[BaseRoute]:
        """`/slack/events` in HTTP mode, and the pages of the installation where the app can be installed."""
        endpoint = [Route("/slack/events", self._endpoint.take, methods=["POST"])] if self._mode == "http" else []
        return [*endpoint, *(self._install.routes() if self._is_installable else [])]

    def messengers(self) -> Sequence[Messenger]:
        """One for each workspace that is installed now; the list grows with every installation."""
        return [workspace.messenger for workspace in self._workspaces.all()] if self._workspaces else []

    async def close(self) -> None:
        """Let commits under way finish, then let go of connections."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_COMMITS_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    # ---- receiving ----------------------------------------------------------------------------------------------

    async def receive(self) -> None:
        """Take events in until cancelled. In HTTP mode they come to `routes`."""
        if self._mode == "http":
            await self._keep_up()
        handler = self._socket_handler()
        try:
            await self._connect(handler)
            # From here the SDK reconnects by itself.
            await self._keep_up()
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=_LAST_COMMITS_S)
            await handler.close_async()

    async def _keep_up(self) -> None:
        """Follow, until cancelled, what other gateways hear of installations."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self._open_workspaces().load()
            except (StoreError, PrivacyError) as error:
                log.warning("slack_workspaces_not_read", reason=type(error).__name__)

    def _socket_handler(self) -> AsyncSocketModeHandler:
        if self._app is None:
            raise NotSent("not open")
        handler = AsyncSocketModeHandler(
            self._app,
            self._app_token,
            web_client=SlackApi("", self._open_http(), base_url=self._base_url).client,
            ping_interval=_PING_INTERVAL_S,
        )
        if is_loopback(self._base_url):
            handler.client.proxy = None
        return handler

    async def _connect(self, handler: AsyncSocketModeHandler) -> None:
        """The first connection, tried until it stands."""
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                await handler.connect_async()
            except Exception as error:  # noqa: BLE001 (whatever the SDK raises, Slack is away)
                log.warning("slack_socket_unreachable", reason=type(error).__name__, again_in_s=wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
            else:
                log.info("slack_socket_connected")
                return

    async def _dispatch(self, request: AsyncBoltRequest) -> BoltResponse:
        if self._app is None:
            return BoltResponse(status=503, body="starting")
        answer: BoltResponse = await self._app.async_dispatch(request)
        return answer

    async def _on_event(self, body: dict[str, Any]) -> None:
        """An event of the Events API. Returning acknowledges it; raising makes Slack send it again."""
        self._count()
        event = body.get("event") or {}
        team = events.team_of(body)
        workspace = await self._open_workspaces().find(team)
        if workspace is None:
            log.info("slack_event_of_unknown_workspace", type=str(event.get("type")))
            return
        match event.get("type"):
            case "message" | "app_mention":
                await self._on_message(workspace, event)
            case "assistant_thread_started":
                self._greet(workspace, event.get("assistant_thread") or {})
            case "app_uninstalled":
                await self._open_workspaces().reject(team)
            case "tokens_revoked" if (event.get("tokens") or {}).get("bot"):
                await self._open_workspaces().reject(team)
            case _:
                log.debug("slack_event_ignored", type=str(event.get("type")))

    async def _on_message(self, workspace: SlackWorkspace, event: Mapping[str, Any]) -> None:
        said = events.spoken(event, workspace.at)
        if said is None:
            return
        # In the order of arrival: whatever is looked up on the way must not let a later message overtake.
        async with self._order.of(f"{workspace.at.team_id}:{said.channel}"):
            is_addressed = await self._is_addressed(workspace, said)
            person = await workspace.person(said.user) if is_addressed else workspace.known_person(said.user)
            incoming = events.to_incoming(
                said, workspace.at, person, is_addressed=is_addressed, commands=self._commands
            )
            await self._take(incoming)

    async def _is_addressed(self, workspace: SlackWorkspace, said: events.Spoken) -> bool:
        """Whether a message is for the assistant: direct, naming it, or in a thread that it takes part in."""
        if events.is_mention(said, workspace.at):
            if not said.is_direct and said.thread:
                workspace.join_thread(said.channel, said.thread)
            return True
        return said.thread_ts is not None and await workspace.is_in_thread(said.channel, said.thread_ts)

    async def _on_command(self, body: dict[str, Any], ack: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """A slash command. Slack sends it once: what fails here, Slack tells the person."""
        self._count()
        workspace = await self._open_workspaces().find(events.team_of(body))
        user = str(body.get("user_id") or "")
        if workspace is not None and user:
            direct = await workspace.direct_channel(user)
            person = await workspace.person(user)
            now = datetime.fromtimestamp(self._now(), UTC)
            incoming = events.slash_command(body, workspace.at, person, direct_channel=direct, now=now)
            await self._take(incoming)
        await ack()

    async def _on_action(self, body: dict[str, Any], ack: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """A pressed button."""
        self._count()
        workspace = await self._open_workspaces().find(events.team_of(body))
        if workspace is not None:
            person = workspace.known_person(str((body.get("user") or {}).get("id") or ""))
            incoming = events.feedback(body, workspace.at, person)
            if incoming is not None:
                await self._take(incoming)
        await ack()

    async def _take(self, incoming: Incoming) -> None:
        """Commit. The acknowledgement follows the return, never before."""
        if self._intake is None:
            raise NotSent("not open")
        taken = await asyncio.to_thread(self._intake.receive, incoming)
        log.debug("slack_event_taken", verdict=taken.verdict, kind=incoming.kind, turn_id=str(taken.turn_id))

    def _greet(self, workspace: SlackWorkspace, thread: dict[str, Any]) -> None:
        """Say hello in an assistant thread, once, beside the acknowledgement: best effort."""
        key = f"{thread.get('channel_id')}:{thread.get('thread_ts')}"
        if not thread.get("channel_id") or not thread.get("thread_ts") or self._welcomed.get(key):
            return
        self._welcomed.put(key, value=True)
        self._spawn(_survive(welcome(workspace, thread), workspace))

    # ---- the rest -----------------------------------------------------------------------------------------------

    async def _installed(self, token: str) -> str:
        workspace, name = await self._open_workspaces().install(token, keeps_token=True)
        log.info("slack_workspace_installed", account_id=str(workspace.at.account_id))
        return name

    def _anonymous(self) -> SlackApi | None:
        """The Web API without a token, for exchanging an installation's code."""
        return SlackApi("", self._http, base_url=self._base_url) if self._http else None

    def _open_http(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise NotSent("not open")
        return self._http

    def _open_workspaces(self) -> SlackWorkspaces:
        if self._workspaces is None:
            raise NotSent("not open")
        return self._workspaces

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _count(self) -> None:
        """Note the task that takes an event, so that the end waits for its commit and acknowledgement."""
        task = asyncio.current_task()
        if task is not None and task not in self._tasks:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


class _Order:
    """Turns at a door, one for each key: who comes first goes first."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        """Hold the door of `key`."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._waiting[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._locks[key], self._waiting[key]


async def _authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
    """Bolt wants a word on every request; the listeners look up the workspace themselves."""
    return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id)


async def _not_committed(error: Exception) -> BoltResponse:
    """No acknowledgement over the socket, 503 over HTTP: Slack sends the event again.

    Only the error's type and place are logged: its text may hold what somebody wrote.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    log.warning("slack_event_not_committed", error=type(error).__name__, place=place)
    return BoltResponse(status=503, body="not committed")


async def _survive(work: Coroutine[Any, Any, None], workspace: SlackWorkspace) -> None:
    """Do what is nice to have; log when it fails."""
    try:
        await work
    except (SlackError, NotSent, OutcomeUnknown, Throttled, CredentialsRejected) as error:
        log.info("slack_welcome_failed", account_id=str(workspace.at.account_id), reason=type(error).__name__)
