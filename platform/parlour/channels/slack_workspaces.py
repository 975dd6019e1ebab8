"""The Slack workspaces that the assistant is installed in, and what each tells about its people and threads."""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import aiohttp
import structlog

from parlour.channels.protocol import Accounts
from parlour.channels.slack_api import SlackApi, SlackError
from parlour.channels.slack_events import Installation, Person
from parlour.channels.slack_messenger import SlackMessenger
from parlour.channels.slack_text import mentions
from parlour.store.ids import AccountId
from parlour.turns.ports import CredentialsRejected, NotSent, OutcomeUnknown, Rejected, Throttled

log = structlog.get_logger(__name__)

CHANNEL: Final = "slack"
_REMEMBERED: Final = 10_000
_PERSON_LIFE_S: Final = 6 * 3600.0
# Slack waits three seconds for the acknowledgement.
_LOOKUP_TIMEOUT_S: Final = 1.5
# An event for a workspace nobody knows may be forged or late; the database is asked so often at most.
_LOOK_AGAIN_S: Final = 5.0
_THREAD_PAGE: Final = 100

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The last so many values by key."""

    def __init__(self, size: int = _REMEMBERED) -> None:
        self._size = size
        self._values: OrderedDict[str, Value] = OrderedDict()

    def get(self, key: str) -> Value | None:
        """The value, None when it was never put or has been pushed out."""
        return self._values.get(key)

    def put(self, key: str, *, value: Value) -> None:
        """Remember, and let go of the oldest."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)


@dataclass(slots=True)
class SlackWorkspace:
    """One installation with its Web API, and what was asked of it lately."""

    at: Installation
    api: SlackApi
    messenger: SlackMessenger
    monotonic: Callable[[], float] = time.monotonic
    _people: Recent[tuple[float, Person]] = field(default_factory=Recent)
    _threads: Recent[bool] = field(default_factory=Recent)
    _direct: Recent[str] = field(default_factory=Recent)

    async def person(self, user: str) -> Person:
        """Name and language of a user; just the id when Slack does not say so in time."""
        known = self._people.get(user)
        if known is not None and known[0] > self.monotonic():
            return known[1]
        try:
            async with asyncio.timeout(_LOOKUP_TIMEOUT_S):
                answer = await self.api.call("users.info", is_repeatable=True, user=user, include_locale=True)
        except (SlackError, NotSent, Throttled, CredentialsRejected, TimeoutError) as error:
            log.info("slack_person_unknown", account_id=str(self.at.account_id), reason=type(error).__name__)
            return Person(user)
        found = answer.get("user") or {}
        profile = found.get("profile") or {}
        names = (profile.get("display_name"), profile.get("real_name"), found.get("name"), user)
        person = Person(next(name for name in names if name), found.get("locale") or None)
        self._people.put(user, value=(self.monotonic() + _PERSON_LIFE_S, person))
        return person

    def known_person(self, user: str) -> Person:
        """What is remembered about a user: for messages that are not for the assistant, nobody is looked up."""
        known = self._people.get(user)
        return known[1] if known else Person(user)

    def join_thread(self, channel: str, thread: str) -> None:
        """Remember that the assistant takes part in a thread."""
        self._threads.put(f"{channel}:{thread}", value=True)

    async def is_in_thread(self, channel: str, thread: str) -> bool:
        """Whether the assistant takes part in a thread: it was mentioned or has written there.

        What this process saw is remembered; of a thread it has not seen (begun before a restart, or at another
        gateway) the first hundred messages are read, once. Raises when Slack cannot be asked in time:
        the event is then not acknowledged, and comes again.
        """
        key = f"{channel}:{thread}"
        known = self._threads.get(key)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(_LOOKUP_TIMEOUT_S):
                answer = await self.api.call(
                    "conversations.replies", is_repeatable=True, channel=channel, ts=thread, limit=_THREAD_PAGE
                )
        except SlackError:
            return False
        bot = self.at.bot_user_id
        messages = answer.get("messages") or []
        is_in = any(said.get("user") == bot or mentions(str(said.get("text") or ""), bot) for said in messages)
        self._threads.put(key, value=is_in)
        return is_in

    async def direct_channel(self, user: str) -> str:
        """The id of the direct conversation with a user. Raises `Rejected`, or `NotSent` when Slack cannot be asked."""
        known = self._direct.get(user)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(_LOOKUP_TIMEOUT_S):
                answer = await self.api.call("conversations.open", is_repeatable=True, users=user)
        except SlackError as error:
            raise Rejected(error.code) from None
        channel = str((answer.get("channel") or {}).get("id") or "")
        if not channel:
            raise NotSent("conversations.open: no channel in the answer")
        self._direct.put(user, value=channel)
        return channel


class SlackWorkspaces:
    """All workspaces that the assistant is installed in, by Slack's team id."""

    def __init__(
        self,
        accounts: Accounts,
        http: aiohttp.ClientSession,
        *,
        base_url: str,
        settle_after_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._http = http
        self._base_url = base_url
        self._settle_after_s = settle_after_s
        self._monotonic = monotonic
        self._by_team: dict[str, SlackWorkspace] = {}
        # Teams whose token comes from the settings.
        self._given: set[str] = set()
        self._looked_at = float("-inf")

    def all(self) -> list[SlackWorkspace]:
        """Every workspace that is installed, as far as this process knows."""
        return list(self._by_team.values())

    async def install(self, token: str, *, keeps_token: bool) -> tuple[SlackWorkspace, str]:
        """The workspace that `token` is for, registered, with its name. The token is stored sealed if it is to be kept.

        Raises `CredentialsRejected`, and `NotSent` when Slack cannot be reached.
        """
        api = SlackApi(token, self._http, base_url=self._base_url)
        try:
            who = await api.call("auth.test", is_repeatable=True)
        except (SlackError, Throttled, OutcomeUnknown) as error:
            raise NotSent(f"auth.test: {error}") from None
        team, name = str(who["team_id"]), str(who.get("team") or who["team_id"])
        kept = {"team_id": team, "bot_user_id": str(who["user_id"]), "bot_token": token}
        credentials = json.dumps(kept) if keeps_token else None
        account_id = await asyncio.to_thread(self._accounts.register, CHANNEL, team, name, credentials=credentials)
        if not keeps_token:
            self._given.add(team)
        return self._add(account_id, kept), name

    async def load(self) -> None:
        """Take up every workspace whose token is stored, with the token of now, and let go of those that are no more.

        Another process may have installed the app, anew or for the first time, or have heard that it was removed.
        """
        self._looked_at = self._monotonic()
        active = {account_id for account_id, _ in await asyncio.to_thread(self._accounts.list, CHANNEL)}
        for team, workspace in list(self._by_team.items()):
            if team not in self._given and workspace.at.account_id not in active:
                del self._by_team[team]
        for account_id in active:
            stored = await asyncio.to_thread(self._accounts.credentials, account_id)
            kept = json.loads(stored) if stored else None
            if kept is not None and kept["team_id"] not in self._given:
                self._add(account_id, kept)

    async def find(self, team: str) -> SlackWorkspace | None:
        """The workspace of an event, None when the assistant is not installed there."""
        if team not in self._by_team and self._monotonic() - self._looked_at > _LOOK_AGAIN_S:
            await self.load()
        return self._by_team.get(team)

    async def reject(self, team: str) -> None:
        """Forget a workspace that removed the app or revoked its token."""
        workspace = self._by_team.pop(team, None)
        self._given.discard(team)
        if workspace is not None:
            await asyncio.to_thread(self._accounts.reject, workspace.at.account_id)
            log.warning("slack_workspace_gone", account_id=str(workspace.at.account_id))

    def _add(self, account_id: AccountId, kept: dict[str, str]) -> SlackWorkspace:
        """The workspace with this token. One that is known stays the same object: a sender posts through it."""
        known = self._by_team.get(kept["team_id"])
        if known is not None and known.at.account_id == account_id:
            known.api.client.token = kept["bot_token"]
            return known
        at = Installation(account_id, kept["team_id"], kept["bot_user_id"])
        api = SlackApi(kept["bot_token"], self._http, base_url=self._base_url)
        messenger = SlackMessenger(
            account_id,
            api,
            bot_user_id=at.bot_user_id,
            settle_after_s=self._settle_after_s,
            monotonic=self._monotonic,
        )
        workspace = SlackWorkspace(at, api, messenger, self._monotonic)
        self._by_team[at.team_id] = workspace
        return workspace
