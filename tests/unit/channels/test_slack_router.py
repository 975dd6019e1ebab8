"""Bolt as a router is a guest: it leaves what is Parlour's alone."""

import logging
from typing import TYPE_CHECKING, cast

from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from parlour.channels.slack_inbox import SlackInbox
from parlour.channels.slack_router import make_router
from tests.fakes.intake import FakeIntake

if TYPE_CHECKING:
    from parlour.channels.slack_workspaces import SlackWorkspaces


async def test_a_router_leaves_parlours_logs_as_they_are() -> None:
    """At every request Bolt takes the logger that has the name of its app, and gives it its own level and filters."""
    inbox = SlackInbox(FakeIntake(), cast("SlackWorkspaces", None), commands=(), now=lambda: 0.0)
    ours = logging.getLogger("parlour")
    before = ours.level, list(ours.filters), list(ours.handlers)

    event = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": {"type": "team_join"}}
    await make_router(inbox, AsyncWebClient()).async_dispatch(AsyncBoltRequest(mode="socket_mode", body=event))

    assert (ours.level, list(ours.filters), list(ours.handlers)) == before
