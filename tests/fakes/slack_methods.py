"""The Web API methods of the fake Slack, with Slack's own limits and error words."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.slack_world import Channel, Json, Refused, Stream, Team, World, pings, stamp

Params = Mapping[str, Any]
Method = Callable[[Team, Params], Json]

# What each method asks for; any one of the scopes will do. https://docs.slack.dev/reference/methods
SCOPES: dict[str, tuple[str, ...]] = {
    "assistant.threads.setStatus": ("assistant:write", "chat:write"),
    "assistant.threads.setSuggestedPrompts": ("assistant:write",),
    "assistant.threads.setTitle": ("assistant:write",),
    "auth.revoke": (),
    "auth.test": (),
    "chat.appendStream": ("chat:write",),
    "chat.delete": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.startStream": ("chat:write",),
    "chat.stopStream": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": ("channels:history", "groups:history", "im:history", "mpim:history"),
    "conversations.info": ("channels:read", "groups:read", "im:read", "mpim:read"),
    "conversations.open": ("im:write",),
    "conversations.replies": ("channels:history", "groups:history", "im:history", "mpim:history"),
    "files.completeUploadExternal": ("files:write",),
    "files.getUploadURLExternal": ("files:write",),
    "files.info": ("files:read",),
    "reactions.add": ("reactions:write",),
    "users.info": ("users:read",),
}
# Calls a minute in a workspace. https://docs.slack.dev/apis/web-api/rate-limits
TIERS: dict[str, int] = {
    "chat.appendStream": 100,
    "chat.delete": 50,
    "chat.postEphemeral": 100,
    "chat.startStream": 20,
    "chat.stopStream": 20,
    "chat.update": 50,
    "conversations.history": 50,
    "conversations.info": 50,
    "conversations.open": 50,
    "conversations.replies": 50,
    "files.completeUploadExternal": 100,
    "files.getUploadURLExternal": 100,
    "files.info": 100,
    "users.info": 100,
}
MARKDOWN_LIMIT = 12_000
TEXT_LIMIT = 40_000
BLOCK_LIMIT = 50
LABEL_LIMIT = 75
_KIND_SCOPES = {"channel": "channels:history", "group": "groups:history", "im": "im:history", "mpim": "mpim:history"}


class Methods:
    """The methods by name, on one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.table: dict[str, Method] = {
            "assistant.threads.setStatus": self.set_status,
            "assistant.threads.setSuggestedPrompts": self.set_prompts,
            "assistant.threads.setTitle": self.set_title,
            "auth.revoke": self.auth_revoke,
            "auth.test": self.auth_test,
            "chat.appendStream": self.append_stream,
            "chat.delete": self.delete,
            "chat.postEphemeral": self.post_ephemeral,
            "chat.postMessage": self.post_message,
            "chat.startStream": self.start_stream,
            "chat.stopStream": self.stop_stream,
            "chat.update": self.update,
            "conversations.history": self.history,
            "conversations.info": self.conversation_info,
            "conversations.open": self.conversation_open,
            "conversations.replies": self.replies,
            "files.completeUploadExternal": self.complete_upload,
            "files.getUploadURLExternal": self.upload_url,
            "files.info": self.file_info,
            "reactions.add": self.add_reaction,
            "users.info": self.user_info,
        }

    def run(self, method: str, token: str | None, params: Params) -> Json:
        """The answer to a method. Raises `Refused`."""
        work = self.table.get(method)
        if work is None:
            raise Refused("unknown_method", req_method=method)
        team = self.world.team_of_token(token)
        needed = SCOPES[method]
        if needed and not team.scopes.intersection(needed):
            raise Refused("missing_scope", needed=",".join(needed), provided=",".join(sorted(team.scopes)))
        return work(team, params)

    # ---- auth ---------------------------------------------------------------------------------------------------

    def auth_test(self, team: Team, params: Params) -> Json:
        return {
            "url": f"https://{team.name.lower().replace(' ', '-')}.slack.test/",
            "team": team.name,
            "team_id": team.id,
            "user": "parlour",
            "user_id": team.bot_user_id,
            "bot_id": team.bot_id,
            "is_enterprise_install": False,
        }

    def auth_revoke(self, team: Team, params: Params) -> Json:
        self.world.revoked.add(team.bot_token)
        return {"revoked": True}

    # ---- posting ------------------------------------------------------------------------------------------------

    def post_message(self, team: Team, params: Params) -> Json:
        channel = self._writable(team, params.get("channel"))
        content = _content(params)
        message = self._ours(team, content)
        if thread := params.get("thread_ts"):
            if str(thread) not in channel.messages:
                raise Refused("thread_not_found")
            message["thread_ts"] = str(thread)
        self._put(channel, message, "posted", links_names=_links_names(params))
        self._clear_status(channel, message)
        return {"channel": channel.id, "ts": message["ts"], "message": _public(message)}

    def post_ephemeral(self, team: Team, params: Params) -> Json:
        channel = self._writable(team, params.get("channel"))
        if str(params.get("user")) not in channel.members:
            raise Refused("user_not_in_channel")
        ts = self.world.ts()
        self.world.note("posted_ephemeral", channel=channel.id, user=params.get("user"), ts=ts, **_content(params))
        return {"message_ts": ts}

    def update(self, team: Team, params: Params) -> Json:
        channel, message = self._own_message(team, params, missing="cant_update_message")
        if self.world.is_streaming(channel, message["ts"]):
            raise Refused("streaming_state_conflict")
        before = dict(message)
        message.update(_content(params))
        message["edited"] = {"user": team.bot_user_id, "ts": self.world.ts()}
        self.world.note("updated", channel=channel.id, **_public(message), pings=pings(message))
        self.world.change(channel, message, before)
        return {
            "channel": channel.id,
            "ts": message["ts"],
            "text": message.get("text", ""),
            "message": _public(message),
        }

    def delete(self, team: Team, params: Params) -> Json:
        channel, message = self._own_message(team, params, missing="cant_delete_message")
        del channel.messages[message["ts"]]
        self.world.note("deleted", channel=channel.id, ts=message["ts"])
        event = {"type": "message", "subtype": "message_deleted", "hidden": True, "deleted_ts": message["ts"]}
        self.world.tell(
            channel, {**event, "channel": channel.id, "ts": self.world.ts(), "previous_message": _public(message)}
        )
        return {"channel": channel.id, "ts": message["ts"]}

    # ---- streams ------------------------------------------------------------------------------------------------

    def start_stream(self, team: Team, params: Params) -> Json:
        channel = self._writable(team, params.get("channel"))
        thread = str(params.get("thread_ts") or "")
        if not thread:
            raise Refused(
                "invalid_arguments", response_metadata={"messages": ["[ERROR] missing required field: thread_ts"]}
            )
        if thread not in channel.messages:
            raise Refused("thread_not_found")
        if channel.kind != "im":
            for name in ("recipient_team_id", "recipient_user_id"):
                if not params.get(name):
                    raise Refused(f"missing_{name}")
        text = _piece(params)
        message = self._ours(team, {"text": text, "blocks": [{"type": "markdown", "text": text}]}) | {
            "thread_ts": thread
        }
        self._put(channel, message, "stream_started")
        self._clear_status(channel, message)
        self.world.streams[channel.id, message["ts"]] = Stream(self.world.now())
        return {"channel": channel.id, "ts": message["ts"]}

    def append_stream(self, team: Team, params: Params) -> Json:
        channel, message = self._stream(team, params)
        piece = _piece(params)
        if not piece:
            raise Refused("no_text")
        self._grow(message, piece)
        self.world.streams[channel.id, message["ts"]].changed_at = self.world.now()
        self.world.note("appended", channel=channel.id, ts=message["ts"], piece=piece, pings=pings(message))
        return {"channel": channel.id, "ts": message["ts"]}

    def stop_stream(self, team: Team, params: Params) -> Json:
        channel, message = self._stream(team, params)
        self._grow(message, _piece(params))
        message["blocks"] = [*message["blocks"], *(_parsed(params, "blocks") or [])]
        if (metadata := _parsed(params, "metadata")) is not None:
            message["metadata"] = metadata
        del self.world.streams[channel.id, message["ts"]]
        self.world.note("stream_stopped", channel=channel.id, **_public(message), pings=pings(message))
        return {"channel": channel.id, "ts": message["ts"], "message": _public(message)}

    def _grow(self, message: Json, piece: str) -> None:
        message["text"] += piece
        message["blocks"] = [{"type": "markdown", "text": message["text"]}]

    def _stream(self, team: Team, params: Params) -> tuple[Channel, Json]:
        channel, message = self._own_message(team, params, missing="message_not_owned_by_app")
        if not self.world.is_streaming(channel, message["ts"]):
            raise Refused("message_not_in_streaming_state")
        return channel, message

    # ---- reading ------------------------------------------------------------------------------------------------

    def history(self, team: Team, params: Params) -> Json:
        channel = self._readable(team, params.get("channel"))
        roots = [
            message
            for message in channel.in_order()
            if message.get("thread_ts") in {None, message["ts"]} or message.get("subtype") == "thread_broadcast"
        ]
        return _page(list(reversed(roots)), params)

    def replies(self, team: Team, params: Params) -> Json:
        channel = self._readable(team, params.get("channel"))
        root = channel.messages.get(str(params.get("ts") or ""))
        if root is None:
            raise Refused("thread_not_found")
        thread = root.get("thread_ts", root["ts"])
        answers = [one for one in channel.in_order() if one.get("thread_ts") == thread and one["ts"] != thread]
        first = channel.messages.get(str(thread))
        return _page(answers, params, first=first)

    def conversation_info(self, team: Team, params: Params) -> Json:
        channel = self.world.channel(team, params.get("channel"))
        return {"channel": _about(channel)}

    def conversation_open(self, team: Team, params: Params) -> Json:
        users = str(params.get("users") or "").split(",")
        if len(users) != 1 or users[0] not in self.world.users:
            raise Refused("user_not_found")
        return {"channel": _about(self.world.direct(users[0], team=team.id))}

    def user_info(self, team: Team, params: Params) -> Json:
        user = self.world.users.get(str(params.get("user") or ""))
        if user is None:
            raise Refused("user_not_found")
        hidden = set() if _flag(params, "include_locale") else {"locale"}
        return {"user": {name: value for name, value in user.items() if name not in hidden}}

    def file_info(self, team: Team, params: Params) -> Json:
        file = self.world.files.get(str(params.get("file") or ""))
        if file is None or file.team != team.id:
            raise Refused("file_not_found")
        return {"file": file.about}

    def upload_url(self, team: Team, params: Params) -> Json:
        """Where to send a file of that name and length; it is nobody's yet."""
        name, length = str(params.get("filename") or ""), str(params.get("length") or "")
        if not name or not length.isdecimal() or int(length) == 0:
            raise Refused("invalid_arguments")
        return self.world.announce_file(name, int(length), team=team.id, alt=str(params.get("alt_txt") or ""))

    def complete_upload(self, team: Team, params: Params) -> Json:
        """Share uploaded files in a conversation, in one message."""
        wanted = _parsed(params, "files") or []
        files = [self.world.files.get(str(one.get("id"))) for one in wanted]
        if not wanted or any(file is None or file.team != team.id or not file.content for file in files):
            raise Refused("file_not_found")
        about = []
        for file, one in zip(files, wanted, strict=True):
            assert file is not None
            file.about["title"] = one.get("title") or file.about["name"]
            about.append(file.about)
        if channel_id := params.get("channel_id"):
            channel = self._writable(team, channel_id)
            message = self._ours(team, {"text": str(params.get("initial_comment") or ""), "files": about})
            message["upload"] = True
            if thread := params.get("thread_ts"):
                if str(thread) not in channel.messages:
                    raise Refused("thread_not_found")
                message["thread_ts"] = str(thread)
            self._put(channel, message, "posted", links_names=False)
        return {"files": [{"id": one["id"], "title": one["title"]} for one in about]}

    # ---- assistant, reactions -----------------------------------------------------------------------------------

    def set_status(self, team: Team, params: Params) -> Json:
        return self._set(team, params, status=str(params.get("status") or ""))

    def set_title(self, team: Team, params: Params) -> Json:
        return self._set(team, params, title=str(params.get("title") or ""))

    def set_prompts(self, team: Team, params: Params) -> Json:
        prompts = _parsed(params, "prompts") or []
        if not prompts or len(prompts) > 4 or any(not (one.get("title") and one.get("message")) for one in prompts):
            raise Refused("invalid_arguments")
        return self._set(team, params, prompts=prompts, prompts_title=params.get("title"))

    def _set(self, team: Team, params: Params, **values: Any) -> Json:
        channel = self.world.channel(team, params.get("channel_id"))
        thread = str(params.get("thread_ts") or "")
        if channel.kind != "im" or thread not in channel.messages:
            raise Refused("invalid_thread_ts")
        self.world.assistant.setdefault((channel.id, thread), {}).update(values)
        self.world.note("assistant_set", channel=channel.id, thread_ts=thread, **values)
        return {}

    def _clear_status(self, channel: Channel, message: Json) -> None:
        pane = self.world.assistant.get((channel.id, str(message.get("thread_ts"))))
        if pane is not None:
            pane["status"] = ""

    def add_reaction(self, team: Team, params: Params) -> Json:
        channel = self.world.channel(team, params.get("channel"))
        message = self.world.message(channel, params.get("timestamp"))
        names = message.setdefault("reactions", [])
        if params.get("name") in names:
            raise Refused("already_reacted")
        names.append(params.get("name"))
        return {}

    # ---- shared -------------------------------------------------------------------------------------------------

    def _writable(self, team: Team, channel_id: Any) -> Channel:
        if str(channel_id or "").startswith("U") and channel_id in self.world.users:
            return self.world.direct(str(channel_id), team=team.id)
        channel = self.world.channel(team, channel_id)
        if channel.is_archived:
            raise Refused("is_archived")
        if team.bot_user_id not in channel.members:
            raise Refused("not_in_channel")
        return channel

    def _readable(self, team: Team, channel_id: Any) -> Channel:
        channel = self.world.channel(team, channel_id)
        if team.bot_user_id not in channel.members:
            raise Refused("not_in_channel")
        if (needed := _KIND_SCOPES[channel.kind]) not in team.scopes:
            raise Refused("missing_scope", needed=needed, provided=",".join(sorted(team.scopes)))
        return channel

    def _own_message(self, team: Team, params: Params, *, missing: str) -> tuple[Channel, Json]:
        channel = self._writable(team, params.get("channel"))
        message = self.world.message(channel, params.get("ts"))
        if message.get("user") != team.bot_user_id:
            raise Refused(missing)
        return channel, message

    def _ours(self, team: Team, content: Json) -> Json:
        from_bot = {"user": team.bot_user_id, "bot_id": team.bot_id, "app_id": "A0PARLOUR", "team": team.id}
        return {"type": "message", **from_bot, **content, "ts": self.world.ts()}

    def _put(self, channel: Channel, message: Json, what: str, *, links_names: bool = False) -> None:
        self.world.note(what, channel=channel.id, **_public(message), pings=pings(message, links_names=links_names))
        self.world.put(channel, message)


def _content(params: Params) -> Json:
    """Text, blocks and metadata as posted. Raises `Refused` past Slack's limits."""
    text, blocks = str(params.get("text") or ""), _parsed(params, "blocks")
    if params.get("markdown_text"):
        if blocks or text:
            raise Refused("markdown_text_conflict")
        blocks = [{"type": "markdown", "text": str(params["markdown_text"])}]
    if not text.strip() and not blocks:
        raise Refused("no_text")
    if len(text) > TEXT_LIMIT:
        raise Refused("msg_too_long")
    _check_blocks(blocks or [])
    metadata: Any = _parsed(params, "metadata")
    if metadata is not None and not (
        isinstance(metadata, dict) and "event_payload" in metadata and metadata.get("event_type")
    ):
        raise Refused("invalid_metadata_format")
    content: Json = {"text": text, "blocks": blocks or []}
    return content | ({"metadata": metadata} if metadata is not None else {})


def _check_blocks(blocks: list[Json]) -> None:
    if len(blocks) > BLOCK_LIMIT or not all(block.get("type") for block in blocks):
        raise Refused("invalid_blocks")
    elements = [one for block in blocks if block["type"] == "actions" for one in block.get("elements") or []]
    labels = [str((one.get("text") or {}).get("text") or "") for one in elements if one.get("type") == "button"]
    names = [one.get("action_id") for one in elements]
    if any(not 0 < len(label) <= LABEL_LIMIT for label in labels) or len(set(names)) < len(names):
        raise Refused("invalid_blocks")
    marked = [str(block.get("text") or "") for block in blocks if block["type"] == "markdown"]
    if any(not text for text in marked):
        raise Refused("invalid_blocks")
    if sum(_units(text) for text in marked) > MARKDOWN_LIMIT:
        raise Refused("msg_too_long")


def _piece(params: Params) -> str:
    """The text of a call to a stream, as `markdown_text` or in chunks."""
    chunks = _parsed(params, "chunks") or []
    text = str(params.get("markdown_text") or "") + "".join(
        str(chunk.get("text") or "") for chunk in chunks if chunk.get("type") == "markdown_text"
    )
    if _units(text) > MARKDOWN_LIMIT:
        raise Refused("msg_too_long")
    return text


def _page(messages: list[Json], params: Params, *, first: Json | None = None) -> Json:
    """One page, between `oldest` and `latest`, from the cursor on."""
    oldest, latest = params.get("oldest"), params.get("latest")
    is_inclusive = _flag(params, "inclusive")
    chosen = [
        message
        for message in messages
        if (not oldest or stamp(message["ts"]) > stamp(oldest) or (is_inclusive and message["ts"] == oldest))
        and (not latest or stamp(message["ts"]) < stamp(latest) or (is_inclusive and message["ts"] == latest))
    ]
    start = _read_cursor(params.get("cursor"))
    if first is not None:
        chosen = [first, *chosen]
    limit = min(max(int(params.get("limit") or 100), 1), 1000)
    page, has_more = chosen[start : start + limit], len(chosen) > start + limit
    cursor = base64.b64encode(f"next:{start + limit}".encode()).decode() if has_more else ""
    with_metadata = _flag(params, "include_all_metadata")
    return {
        "messages": [_public(message, with_metadata=with_metadata) for message in page],
        "has_more": has_more,
        "response_metadata": {"next_cursor": cursor},
    }


def _read_cursor(cursor: Any) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(str(cursor)).decode().removeprefix("next:"))
    except ValueError:
        raise Refused("invalid_cursor") from None


def _public(message: Json, *, with_metadata: bool = True) -> Json:
    return {name: value for name, value in message.items() if with_metadata or name != "metadata"}


def _about(channel: Channel) -> Json:
    about = {"id": channel.id, "name": channel.name, "is_archived": channel.is_archived, "is_im": channel.kind == "im"}
    return about | ({"user": channel.user} if channel.user else {})


def _parsed(params: Params, name: str) -> Any:
    """A structured argument: as it is in JSON, as a JSON text in forms."""
    value = params.get(name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise Refused(f"invalid_{name}") from None


def _flag(params: Params, name: str) -> bool:
    return params.get(name) in {True, "true", "1"}


def _links_names(params: Params) -> bool:
    return _flag(params, "link_names") or params.get("parse") == "full"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
