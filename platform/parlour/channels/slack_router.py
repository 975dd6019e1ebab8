"""Bolt as a router: it parses what Slack sends, calls the inbox, and answers when the inbox is done."""

import re
import traceback
from pathlib import PurePath

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from parlour.channels.slack_api import quiet_logger
from parlour.channels.slack_inbox import SlackInbox

log = structlog.get_logger(__name__)


def make_router(inbox: SlackInbox, client: AsyncWebClient) -> AsyncApp:
    """A Bolt app that hands everything to `inbox`. Who may and what is genuine is known there, not here.

    `process_before_response` makes it acknowledge after the listener, and not at all when the listener fails.
    """
    app = AsyncApp(
        # Bolt takes the logger of this name and gives it its own level: "parlour" would silence all of Parlour.
        name="slack_bolt",
        logger=quiet_logger(),
        client=client,
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
    app.event(everything)(inbox.on_event)
    app.command(everything)(inbox.on_command)
    app.action(everything)(inbox.on_action)
    app.error(_not_committed)
    return app


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
