"""What people and administrators do in the fake Slack: write, edit, press, type commands, open the pane, uninstall."""

from typing import Any

from tests.fakes.slack_delivery import Delivery
from tests.fakes.slack_world import APP_ID, Channel, Json, Refused, World


class People:
    """Deeds by name. Ids of people and channels that are not there yet are made on first use."""

    def __init__(self, world: World, delivery: Delivery, *, base_url: str) -> None:
        self.world = world
        self.delivery = delivery
        self.base_url = base_url

    def say(
        self,
        user: str,
        text: str,
        *,
        channel: str | None = None,
        thread_ts: str | None = None,
        files: list[str] | None = None,
        team: str | None = None,
        locale: str = "en-US",
        subtype: str | None = None,
        bot_id: str | None = None,
        age_s: float = 0.0,
    ) -> Json:
        """A person writes: to the bot directly, or in `channel`. `files` are ids of `add_file`.

        In a channel that mentions the bot, Slack tells twice: `message` and `app_mention`. `age_s`: it is told only now
        of what was written so long ago. Returns `channel` and `ts`.
        """
        where = self._where(user, channel, team, locale)
        message: Json = {
            "type": "message",
            "user": user,
            "text": text,
            "team": where.team,
            "ts": self.world.ts(age_s=age_s),
        }
        message |= {"client_msg_id": self.world.new_id("msg-"), "user_team": where.team}
        if thread_ts:
            message["thread_ts"] = thread_ts
        if files:
            message |= {"files": [self.world.files[one].about for one in files], "subtype": "file_share"}
        if subtype:
            message["subtype"] = subtype
        if bot_id:
            message["bot_id"] = bot_id
        self.world.note("said", channel=where.id, user=user, ts=message["ts"], thread_ts=thread_ts, text=text)
        self.world.put(where, message)
        bot = self.world.teams[where.team].bot_user_id
        if where.kind != "im" and f"<@{bot}>" in text and bot in where.members:
            mention = {name: value for name, value in message.items() if name != "parent_user_id"}
            mention |= {"type": "app_mention", "channel": where.id, "event_ts": message["ts"]}
            self.delivery.event(where.team, "app_mention", mention)
        return {"channel": where.id, "ts": message["ts"], "team": where.team}

    def edit(self, channel: str, ts: str, text: str) -> Json:
        """A person rewrites their message."""
        where = self.world.channels[channel]
        message = where.messages[ts]
        before = dict(message)
        message |= {"text": text, "edited": {"user": message["user"], "ts": self.world.ts()}}
        self.world.change(where, message, before)
        return {"channel": channel, "ts": ts}

    def unfurl(self, channel: str, ts: str) -> Json:
        """Slack shows what a link in a message leads to: a change that nobody wrote."""
        where = self.world.channels[channel]
        before = dict(where.messages[ts])
        where.messages[ts]["attachments"] = [{"title": "A page"}]
        self.world.change(where, where.messages[ts], before)
        return {}

    def press(self, user: str, channel: str, ts: str, value: str) -> Any:
        """A person presses the feedback button `up` or `down` under a message. Returns what the app answered."""
        action_id = next(
            element["action_id"] for element in self._elements(channel, ts) if element.get("type") == "feedback_buttons"
        )
        return self._act(user, channel, ts, {"type": "feedback_buttons", "action_id": action_id, "value": value})

    def choose(self, user: str, channel: str, ts: str, label: str) -> Any:
        """A person presses the button with that label under a message. Returns what the app answered."""
        button = next(
            element
            for element in self._elements(channel, ts)
            if element.get("type") == "button" and element["text"]["text"] == label
        )
        about = {name: button[name] for name in ("type", "action_id", "value", "text")}
        return self._act(user, channel, ts, about)

    def _elements(self, channel: str, ts: str) -> list[Json]:
        blocks = self.world.channels[channel].messages[ts].get("blocks") or []
        return [element for block in blocks for element in block.get("elements") or []]

    def _act(self, user: str, channel: str, ts: str, action: Json) -> Any:
        where = self.world.channels[channel]
        message = where.messages[ts]
        payload = {
            "type": "block_actions",
            "team": {"id": where.team, "domain": "fake"},
            "user": {"id": user, "name": user.lower(), "team_id": where.team},
            "api_app_id": APP_ID,
            "trigger_id": self.world.new_id("trigger-"),
            "container": {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": False},
            "channel": {"id": channel, "name": where.name},
            "message": {name: part for name, part in message.items() if name != "metadata"},
            "response_url": f"{self.base_url}/response/{self.world.new_id('r')}",
            "actions": [{**action, "action_ts": self.world.ts()}],
        }
        return self.delivery.action(payload)

    def command(
        self, user: str, command: str, text: str = "", *, channel: str | None = None, team: str | None = None
    ) -> Any:
        """A person types a slash command. Returns what the app answered, or that it did not."""
        where = self._where(user, channel, team, "en-US")
        payload = {
            "token": "verification-token",
            "team_id": where.team,
            "team_domain": "fake",
            "channel_id": where.id,
            "channel_name": "directmessage" if where.kind == "im" else where.name,
            "user_id": user,
            "user_name": user.lower(),
            "command": command if command.startswith("/") else f"/{command}",
            "text": text,
            "api_app_id": APP_ID,
            "is_enterprise_install": "false",
            "response_url": f"{self.base_url}/response/{self.world.new_id('r')}",
            "trigger_id": self.world.new_id("trigger-"),
        }
        return self.delivery.command(payload)

    def open_assistant(self, user: str, *, team: str | None = None, locale: str = "en-US") -> Json:
        """A person opens the assistant's pane: a thread begins. Returns `channel` and `thread_ts`."""
        where = self._where(user, None, team, locale)
        bot = self.world.teams[where.team]
        root = {"type": "message", "subtype": "assistant_app_thread", "user": bot.bot_user_id, "bot_id": bot.bot_id}
        ts = self.world.ts()
        self.world.put(where, {**root, "text": "New Assistant Thread", "ts": ts, "thread_ts": ts})
        self.world.assistant[where.id, ts] = {"status": "", "prompts": [], "title": ""}
        thread = {"user_id": user, "channel_id": where.id, "thread_ts": ts, "context": {"team_id": where.team}}
        event = {"type": "assistant_thread_started", "assistant_thread": thread, "event_ts": ts}
        self.delivery.event(where.team, "assistant_thread_started", event)
        return {"channel": where.id, "thread_ts": ts}

    def add_file(
        self, name: str, content: str | bytes, *, media_type: str = "text/plain", team: str | None = None
    ) -> Json:
        """A file to be shared with `say`. Returns its description."""
        given = content.encode() if isinstance(content, str) else content
        return self.world.add_file(
            name, given, team=team or self._first_team(), media_type=media_type, base_url=self.base_url
        )

    def add_channel(
        self, channel: str, *, kind: str = "channel", team: str | None = None, has_bot: bool = True
    ) -> Json:
        """A channel, private `group`, or `mpim`."""
        made = self.world.add_channel(channel, team=team or self._first_team(), kind=kind, has_bot=has_bot)
        return {"channel": made.id}

    def add_user(self, user: str, *, name: str = "", locale: str = "en-US", team: str | None = None) -> Json:
        """A person."""
        return self.world.add_user(user, team=team or self._first_team(), name=name, locale=locale)

    def add_team(self, team: str, name: str, *, bot_token: str, is_installed: bool = False) -> Json:
        """A workspace; the app is installed there by OAuth, or at once."""
        made = self.world.add_team(team, name, bot_token=bot_token, is_installed=is_installed)
        return {"team": made.id, "bot_user_id": made.bot_user_id}

    def archive(self, channel: str) -> Json:
        """A channel is archived."""
        self.world.channels[channel].is_archived = True
        return {}

    def kick(self, channel: str) -> Json:
        """The bot is removed from a channel."""
        where = self.world.channels[channel]
        where.members.discard(self.world.teams[where.team].bot_user_id)
        return {}

    def uninstall(self, team: str | None = None) -> Json:
        """An administrator removes the app from the workspace."""
        where = self.world.teams[team or self._first_team()]
        self.delivery.event(
            where.id, "tokens_revoked", {"type": "tokens_revoked", "tokens": {"bot": [where.bot_user_id]}}
        )
        self.delivery.event(where.id, "app_uninstalled", {"type": "app_uninstalled"})
        where.is_installed = False
        return {}

    def revoke(self, team: str | None = None) -> Json:
        """The bot's token stops working, without a word."""
        self.world.revoked.add(self.world.teams[team or self._first_team()].bot_token)
        return {}

    def unknown_event(self, team: str | None = None) -> Json:
        """Something happens that no app was told about yet."""
        where = team or self._first_team()
        self.world.events |= {"sparkle_shared"}
        self.delivery.event(where, "sparkle_shared", {"type": "sparkle_shared", "sparkle": {"id": 1}})
        return {}

    def _first_team(self) -> str:
        return next(iter(self.world.teams))

    def _where(self, user: str, channel: str | None, team: str | None, locale: str) -> Channel:
        existing = self.world.channels.get(channel or "")
        team = team or (existing.team if existing else self._first_team())
        self.world.add_user(user, team=team, locale=locale)
        where = existing or (
            self.world.add_channel(channel, team=team) if channel else self.world.direct(user, team=team)
        )
        if where.team != team:
            raise Refused("channel_not_found")
        where.members.add(user)
        return where
