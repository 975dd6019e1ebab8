"""The Slack channel: events by Socket Mode or HTTP, acknowledged after the commit; one messenger for each workspace."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final, Literal

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from starlette.routing import BaseRoute, Route

from parlour.channels.protocol import Accounts
from parlour.channels.slack_api import PUBLIC_API, SlackApi, SlackError, is_loopback, session
from parlour.channels.slack_http import SlackEndpoint
from parlour.channels.slack_inbox import SlackInbox
from parlour.channels.slack_oauth import SlackInstall
from parlour.channels.slack_router import make_router
from parlour.channels.slack_workspaces import CHANNEL, SlackWorkspaces
from parlour.privacy.errors import PrivacyError
from parlour.store.errors import StoreError
from parlour.turns.ports import CredentialsRejected, Intake, Messenger, NotSent, OutcomeUnknown, Throttled

if TYPE_CHECKING:
    from slack_bolt.app.async_app import AsyncApp

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
        self._commands = commands
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
        self._inbox: SlackInbox | None = None
        self._workspaces: SlackWorkspaces | None = None

    @property
    def name(self) -> str:
        """`slack`."""
        return CHANNEL

    # ---- opening and closing ------------------------------------------------------------------------------------

    async def open(self, intake: Intake, accounts: Accounts) -> None:
        """Check the tokens and take up every workspace. Raises `CredentialsRejected`, `NotSent` when unreachable."""
        self._http = session(self._timeout_s)
        self._workspaces = SlackWorkspaces(
            accounts, self._http, base_url=self._base_url, settle_after_s=self._settle_after_s
        )
        if self._bot_token:
            await self._workspaces.install(self._bot_token, keeps_token=False)
        await self._workspaces.load()
        if self._mode == "socket":
            await self._check_app_token()
        self._inbox = SlackInbox(intake, self._workspaces, commands=self._commands, now=self._now)
        self._app = make_router(self._inbox, SlackApi("", self._http, base_url=self._base_url).client)

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

    def routes(self) -> Sequence[BaseRoute]:
        """`/slack/events` in HTTP mode, and the pages of the installation where the app can be installed."""
        endpoint = [Route("/slack/events", self._endpoint.take, methods=["POST"])] if self._mode == "http" else []
        return [*endpoint, *(self._install.routes() if self._is_installable else [])]

    def messengers(self) -> Sequence[Messenger]:
        """One for each workspace that is installed now; the list grows with every installation."""
        return [workspace.messenger for workspace in self._workspaces.all()] if self._workspaces else []

    async def close(self) -> None:
        """Let commits under way finish, then let go of connections."""
        if self._inbox is not None:
            await self._inbox.close(_LAST_COMMITS_S)
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
            if self._inbox is not None:
                await self._inbox.drain(_LAST_COMMITS_S)
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
