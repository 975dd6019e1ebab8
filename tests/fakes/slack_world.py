"""What the fake Slack knows: workspaces, people, channels, messages, files, tokens, and a journal of it all."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

APP_ID = "A0PARLOUR"
ALL_SCOPES = frozenset(
    {
        "app_mentions:read",
        "assistant:write",
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "im:write",
        "mpim:history",
        "mpim:read",
        "reactions:write",
        "users:read",
    }
)
ALL_EVENTS = frozenset(
    {
        "app_mention",
        "app_uninstalled",
        "assistant_thread_context_changed",
        "assistant_thread_started",
        "message.channels",
        "message.groups",
        "message.im",
        "message.mpim",
        "tokens_revoked",
    }
)

_PINGS = re.compile(r"<!(?:channel|here|everyone)(?:\|[^>]*)?>|<!subteam\^[^>]*>|<@[UW][A-Z0-9]+(?:\|[^>]*)?>")
_BARE_PINGS = re.compile(r"(?<![\w/.])@(?:channel|here|everyone)\b")


class Refused(Exception):
    """An answer that is not ok, with Slack's word for why."""

    def __init__(self, code: str, *, status: int = 200, retry_after: int | None = None, **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.retry_after = retry_after
        self.more = more


@dataclass
class Team:
    """A workspace in which the app is, or can be, installed."""

    id: str
    name: str
    bot_user_id: str
    bot_id: str
    bot_token: str
    scopes: frozenset[str] = ALL_SCOPES
    is_installed: bool = True


@dataclass
class Channel:
    """A channel, private channel (`group`), group message (`mpim`) or direct message (`im`)."""

    id: str
    team: str
    kind: str = "channel"
    name: str = ""
    user: str | None = None
    members: set[str] = field(default_factory=set)
    is_archived: bool = False
    messages: dict[str, Json] = field(default_factory=dict)

    @property
    def event(self) -> str:
        """The subscription under which messages here are told."""
        return {"im": "message.im", "mpim": "message.mpim", "group": "message.groups"}.get(
            self.kind, "message.channels"
        )

    def in_order(self) -> Iterator[Json]:
        """Messages by time stamp."""
        return iter(sorted(self.messages.values(), key=lambda message: stamp(message["ts"])))


@dataclass
class StoredFile:
    """A file with its bytes."""

    about: Json
    content: bytes
    team: str


@dataclass
class Stream:
    """A streamed message that is still open."""

    changed_at: float


class World:
    """Everything the fake stores. All methods run in the server's event loop."""

    def __init__(
        self,
        *,
        app_token: str,
        signing_secret: str,
        client_id: str,
        client_secret: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.app_token = app_token
        self.signing_secret = signing_secret
        self.client_id = client_id
        self.client_secret = client_secret
        self.now = now
        self.teams: dict[str, Team] = {}
        self.users: dict[str, Json] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, StoredFile] = {}
        self.base_url = ""
        self.streams: dict[tuple[str, str], Stream] = {}
        self.stream_idle_s = 300.0
        self.codes: dict[str, tuple[str, str]] = {}
        self.revoked: set[str] = set()
        self.assistant: dict[tuple[str, str], Json] = {}
        self.events = ALL_EVENTS
        self.journal: list[Json] = []
        self.on_event: Callable[[str, str, Json], None] = _ignore
        self._last_stamp = 0
        self._ids = 0

    def note(self, what: str, **about: Any) -> None:
        """Write into the journal."""
        self.journal.append({"n": len(self.journal), "at": self.now(), "what": what, **about})

    def ts(self, *, age_s: float = 0.0) -> str:
        """A fresh time stamp, later than every one before, or that of a message so old."""
        self._last_stamp = max(self._last_stamp + 1, int(self.now() * 1_000_000))
        moment = self._last_stamp - int(age_s * 1_000_000)
        return f"{moment // 1_000_000}.{moment % 1_000_000:06d}"

    def new_id(self, prefix: str) -> str:
        """A fresh id, such as `U000000007`."""
        self._ids += 1
        return f"{prefix}{self._ids:09d}"

    # ---- making things ------------------------------------------------------------------------------------------

    def add_team(self, team_id: str, name: str, *, bot_token: str, is_installed: bool = True) -> Team:
        """A workspace with the app's bot in it."""
        number = len(self.teams) + 1
        team = Team(team_id, name, f"UBOT{number:05d}", f"BBOT{number:05d}", bot_token, is_installed=is_installed)
        self.teams[team_id] = team
        self.add_user(team.bot_user_id, team=team_id, name="parlour", is_bot=True)
        return team

    def add_user(self, user_id: str, *, team: str, name: str = "", locale: str = "en-US", is_bot: bool = False) -> Json:
        """A person, or a bot."""
        name = name or user_id.lower()
        profile = {"display_name": name.title(), "real_name": f"{name.title()} Example"}
        user = {"id": user_id, "team_id": team, "name": name, "locale": locale, "is_bot": is_bot, "profile": profile}
        return self.users.setdefault(user_id, user)

    def add_channel(
        self, channel_id: str, *, team: str, kind: str = "channel", name: str = "", has_bot: bool = True
    ) -> Channel:
        """A channel, with the bot in it unless told otherwise."""
        channel = self.channels.setdefault(channel_id, Channel(channel_id, team, kind, name or channel_id.lower()))
        if has_bot:
            channel.members.add(self.teams[team].bot_user_id)
        return channel

    def direct(self, user: str, *, team: str) -> Channel:
        """The direct messages of a person with the bot."""
        for channel in self.channels.values():
            if channel.kind == "im" and channel.user == user and channel.team == team:
                return channel
        channel = self.add_channel(self.new_id("D"), team=team, kind="im")
        channel.user = user
        channel.members.add(user)
        return channel

    def announce_file(self, name: str, length: int, *, team: str, alt: str) -> Json:
        """A file that the app is about to send: nobody's until it is shared."""
        about = self.add_file(name, b"", team=team, media_type="application/octet-stream", base_url=self.base_url)
        about |= {"size": length, "alt_txt": alt}
        return {"upload_url": f"{self.base_url}/upload/{about['id']}", "file_id": about["id"]}

    def add_file(self, name: str, content: bytes, *, team: str, media_type: str, base_url: str) -> Json:
        """A file as Slack describes it in events."""
        file_id = self.new_id("F")
        address = f"{base_url}/files-pri/{team}-{file_id}/{name}"
        about = {
            "id": file_id,
            "name": name,
            "title": name,
            "mimetype": media_type,
            "size": len(content),
            "mode": "hosted",
            "is_external": False,
            "url_private": address,
            "url_private_download": f"{address}?download=1",
        }
        self.files[file_id] = StoredFile(about, content, team)
        return about

    # ---- finding things -----------------------------------------------------------------------------------------

    def team_of_token(self, token: str | None) -> Team:
        """The workspace that a bot token is for. Raises `Refused` as Slack does."""
        if not token:
            raise Refused("not_authed")
        team = next((one for one in self.teams.values() if one.bot_token == token), None)
        if token in self.revoked:
            raise Refused("token_revoked")
        if team is None:
            raise Refused("invalid_auth")
        if not team.is_installed:
            raise Refused("account_inactive")
        return team

    def channel(self, team: Team, channel_id: Any) -> Channel:
        """A channel of the workspace. Raises `Refused("channel_not_found")`."""
        found = self.channels.get(str(channel_id or ""))
        if found is None or found.team != team.id:
            raise Refused("channel_not_found")
        return found

    def message(self, channel: Channel, ts: Any) -> Json:
        """A message in a channel. Raises `Refused("message_not_found")`."""
        found = channel.messages.get(str(ts or ""))
        if found is None:
            raise Refused("message_not_found")
        return found

    # ---- messages -----------------------------------------------------------------------------------------------

    def put(self, channel: Channel, message: Json) -> Json:
        """Store a message and tell of it."""
        message.setdefault("type", "message")
        message.setdefault("ts", self.ts())
        root = channel.messages.get(message.get("thread_ts") or "")
        if root is not None:
            root["reply_count"] = root.get("reply_count", 0) + 1
            root.setdefault("thread_ts", root["ts"])
            message.setdefault("parent_user_id", root.get("user"))
        channel.messages[message["ts"]] = message
        self.tell(channel, {**message, "channel": channel.id, "event_ts": message["ts"]})
        return message

    def change(self, channel: Channel, message: Json, before: Json) -> None:
        """Tell that a message was edited."""
        event = {
            "type": "message",
            "subtype": "message_changed",
            "hidden": True,
            "channel": channel.id,
            "ts": self.ts(),
            "message": dict(message),
            "previous_message": before,
        }
        self.tell(channel, {**event, "event_ts": event["ts"]})

    def tell(self, channel: Channel, event: Json) -> None:
        """Tell the app, if its bot is there to see it."""
        if self.teams[channel.team].bot_user_id in channel.members:
            event["channel_type"] = channel.kind
            self.on_event(
                channel.team, channel.event, {name: value for name, value in event.items() if name != "metadata"}
            )

    def is_streaming(self, channel: Channel, ts: str) -> bool:
        """Whether a message is an open stream; one that has idled too long is closed by this look."""
        stream = self.streams.get((channel.id, ts))
        if stream is not None and self.now() - stream.changed_at > self.stream_idle_s:
            del self.streams[channel.id, ts]
            self.note("stream_expired", channel=channel.id, ts=ts)
            return False
        return stream is not None


def _ignore(team: str, subscription: str, event: Json) -> None:
    """Where nobody listens yet."""


def stamp(ts: str) -> tuple[int, int]:
    """A time stamp for comparing."""
    seconds, _, fraction = str(ts).partition(".")
    return int(seconds or 0), int((fraction or "0").ljust(6, "0")[:6])


def shown(message: Json) -> str:
    """The text that a person sees: of the markdown blocks where there are any."""
    marked = [block.get("text", "") for block in message.get("blocks") or [] if block.get("type") == "markdown"]
    return "\n".join(marked) if marked else str(message.get("text") or "")


def pings(message: Json, *, links_names: bool = False) -> list[str]:
    """Whom a message would notify. Bare `@here` counts in markdown too: nobody promises that it does nothing there."""
    text = str(message.get("text") or "")
    marked = [block.get("text", "") for block in message.get("blocks") or [] if block.get("type") == "markdown"]
    found = [ping for piece in (text, *marked) for ping in _PINGS.findall(piece)]
    found += [ping for piece in marked for ping in _BARE_PINGS.findall(piece)]
    return found + (_BARE_PINGS.findall(text) if links_names else [])
