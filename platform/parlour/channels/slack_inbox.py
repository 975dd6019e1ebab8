"""What the Slack channel does with an event: reads it, looks up what it must, commits it. Acknowledging comes after."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import structlog

from parlour.channels import slack_events as events
from parlour.channels.slack_api import SlackError
from parlour.channels.slack_welcome import welcome
from parlour.channels.slack_workspaces import Recent, SlackWorkspace, SlackWorkspaces
from parlour.turns.ports import CredentialsRejected, Incoming, Intake, NotSent, OutcomeUnknown, Throttled

log = structlog.get_logger(__name__)


class SlackInbox:
    """Takes events, slash commands and pressed buttons. Returning means committed; raising means: not acknowledged."""

    def __init__(
        self, intake: Intake, workspaces: SlackWorkspaces, *, commands: Collection[str], now: Callable[[], float]
    ) -> None:
        self._intake = intake
        self._workspaces = workspaces
        self._commands = frozenset(commands)
        self._now = now
        self._order = _Order()
        self._welcomed: Recent[bool] = Recent()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def drain(self, timeout_s: float) -> None:
        """Wait for commits under way and their acknowledgements, but no longer than this."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    async def close(self, timeout_s: float) -> None:
        """Drain, then end what is left."""
        await self.drain(timeout_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def on_event(self, body: dict[str, Any]) -> None:
        """An event of the Events API. Returning acknowledges it; raising makes Slack send it again."""
        self._count()
        event = body.get("event") or {}
        team = events.team_of(body)
        workspace = await self._workspaces.find(team)
        if workspace is None:
            log.info("slack_event_of_unknown_workspace", type=str(event.get("type")))
            return
        match event.get("type"):
            case "message" | "app_mention":
                await self._on_message(workspace, event)
            case "assistant_thread_started":
                self._greet(workspace, event.get("assistant_thread") or {})
            case "app_uninstalled":
                await self._workspaces.reject(team)
            case "tokens_revoked" if (event.get("tokens") or {}).get("bot"):
                await self._workspaces.reject(team)
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

    async def on_command(self, body: dict[str, Any], ack: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """A slash command. Slack sends it once: what fails here, Slack tells the person."""
        self._count()
        workspace = await self._workspaces.find(events.team_of(body))
        user = str(body.get("user_id") or "")
        if workspace is not None and user:
            direct = await workspace.direct_channel(user)
            person = await workspace.person(user)
            now = datetime.fromtimestamp(self._now(), UTC)
            incoming = events.slash_command(body, workspace.at, person, direct_channel=direct, now=now)
            await self._take(incoming)
        await ack()

    async def on_action(self, body: dict[str, Any], ack: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """A pressed button."""
        self._count()
        workspace = await self._workspaces.find(events.team_of(body))
        if workspace is not None:
            person = workspace.known_person(str((body.get("user") or {}).get("id") or ""))
            incoming = events.pressed(body, workspace.at, person)
            if incoming is not None:
                await self._take(incoming)
        await ack()

    async def _take(self, incoming: Incoming) -> None:
        """Commit. The acknowledgement follows the return, never before."""
        taken = await asyncio.to_thread(self._intake.receive, incoming)
        log.debug("slack_event_taken", verdict=taken.verdict, kind=incoming.kind, turn_id=str(taken.turn_id))

    def _greet(self, workspace: SlackWorkspace, thread: dict[str, Any]) -> None:
        """Say hello in an assistant thread, once, beside the acknowledgement: best effort."""
        key = f"{thread.get('channel_id')}:{thread.get('thread_ts')}"
        if not thread.get("channel_id") or not thread.get("thread_ts") or self._welcomed.get(key):
            return
        self._welcomed.put(key, value=True)
        self._spawn(_survive(welcome(workspace, thread), workspace))

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


async def _survive(work: Coroutine[Any, Any, None], workspace: SlackWorkspace) -> None:
    """Do what is nice to have; log when it fails."""
    try:
        await work
    except (SlackError, NotSent, OutcomeUnknown, Throttled, CredentialsRejected) as error:
        log.info("slack_welcome_failed", account_id=str(workspace.at.account_id), reason=type(error).__name__)
