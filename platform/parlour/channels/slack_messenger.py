"""Posting to Slack as one workspace's bot: answers, drafts, native streams, and what became of a post."""

import re
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import structlog

from parlour.channels import slack_files
from parlour.channels.slack_api import PUBLIC_API, SlackApi, SlackError, paged
from parlour.channels.slack_content import DELIVERY, DRAFT, buttons, final_content, mark, read_mark, text_content
from parlour.channels.slack_text import clean, settled, split
from parlour.channels.slack_wording import say
from parlour.store.ids import AccountId, TurnId
from parlour.turns.ports import (
    Address,
    DraftLost,
    DraftStyle,
    NotSent,
    OutcomeUnknown,
    Post,
    PostedFile,
    Receipt,
    Rejected,
    SendLimits,
    Throttled,
)

log = structlog.get_logger(__name__)

# chat.postMessage: about one a second in a channel, several hundred a minute in a workspace.
# https://docs.slack.dev/apis/web-api/rate-limits
_LIMITS: Final = SendLimits(account_per_s=5.0, account_burst=20, chat_per_s=1.0, chat_burst=3)
# chat.appendStream is tier 4 (100 a minute in a workspace), chat.update tier 3 (50 a minute).
_APPEND_INTERVAL_S: Final = 1.0
_UPDATE_INTERVAL_S: Final = 1.5
# Starting and stopping a stream are tier 2 (20 a minute each). Every stream that is started must be stopped, so fewer
# are started than could be: what is over goes out as a message that is edited.
_STREAMS_PER_MINUTE: Final = 15
_DRAFT_IS_ALIVE_S: Final = 20.0
_REMEMBERED_DRAFTS: Final = 2_000
# The workspace's plan or the app's features do not have streams; other refusals are of one chat.
_NO_STREAMS: Final = frozenset(
    {"feature_not_enabled", "missing_scope", "no_permission", "not_allowed_token_type", "unknown_method"}
)
_STREAM_CLOSED: Final = "message_not_in_streaming_state"
_STREAM_OPEN: Final = "streaming_state_conflict"
_PAGES: Final = 20
_PAGE_SIZE: Final = 100
# Clocks of ours and Slack's may differ by so much.
_CLOCK_SLACK_S: Final = 600
# So many times longer than a text until a file that was shared can be seen.
_FILES_TAKE_LONGER: Final = 5


@dataclass(slots=True)
class _Draft:
    """A draft that is out: how it can be changed, and what of the text Slack certainly shows (None: not known)."""

    kind: Literal["stream", "message", "unknown"]
    shown: str | None
    changed_at: float = 0.0


class SlackMessenger:
    """The posting side of one Slack workspace. See `turns.ports.Messenger`; ids of messages are Slack's `ts`."""

    def __init__(
        self,
        account_id: AccountId,
        api: SlackApi,
        *,
        bot_user_id: str,
        settle_after_s: float = 3.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account_id = account_id
        self._api = api
        self._bot_user_id = bot_user_id
        self._settle_after_s = settle_after_s
        self._monotonic = monotonic
        self._drafts: OrderedDict[str, _Draft] = OrderedDict()
        self._blocked_until: dict[str, float] = {}
        self._stream_starts: deque[float] = deque()
        self._can_stream = True
        self._unclear_at: OrderedDict[str, float] = OrderedDict()

    @property
    def account_id(self) -> AccountId:
        """The account that this messenger posts as."""
        return self._account_id

    def limits(self, address: Address) -> SendLimits:
        """Slack's documented limits; a server that stands in for Slack states its own by 429."""
        return _LIMITS if self._api.base_url == PUBLIC_API else SendLimits()

    def split(self, markdown: str) -> list[str]:
        """`markdown` in parts that fit a `markdown` block, code blocks closed and opened again."""
        return split(markdown)

    # ---- answers ------------------------------------------------------------------------------------------------

    async def send(self, post: Post) -> Receipt:
        """Post it, or turn the draft into it. Raises what `turns.ports.Messenger.send` raises."""
        post = _in_thread(post)
        if post.draft_key is not None:
            return await self._finish(post, post.draft_key)
        if post.file is not None:
            return await self._send_file(post, post.file)
        return await self._send_text(post)

    async def _send_text(self, post: Post) -> Receipt:
        arguments = final_content(post) | mark(DELIVERY, "key", post.key)
        try:
            answer = await self._post(post.address, arguments)
        except OutcomeUnknown:
            self._note_unclear(post.key)
            raise
        return Receipt(str(answer["ts"]))

    async def _send_file(self, post: Post, file: PostedFile) -> Receipt:
        """Share it; say it in words where the workspace lets the app share no files, or not this one."""
        try:
            return Receipt(await slack_files.share(self._call, self._api, post.address, file))
        except OutcomeUnknown:
            self._note_unclear(post.key)
            raise
        except (SlackError, Rejected) as refused:
            log.info("slack_file_refused", account_id=str(self._account_id), code=refused.code)
        return await self._send_text(replace(post, text=split(file.words or file.name)[0]))

    async def _post(self, address: Address, arguments: dict[str, Any]) -> dict[str, Any]:
        """A new message. Nothing in it is unfurled or linked that was not meant to be."""
        try:
            answer = await self._call(
                "chat.postMessage",
                is_repeatable=False,
                channel=address.chat,
                thread_ts=address.thread,
                unfurl_links=False,
                unfurl_media=False,
                link_names=False,
                **arguments,
            )
        except SlackError as error:
            raise Rejected(error.code) from None
        if not answer.get("ts"):
            raise OutcomeUnknown("chat.postMessage: no ts in the answer")
        return answer

    async def _finish(self, post: Post, key: str) -> Receipt:
        """Make the draft `key` the final text: by ending its stream with the rest, else by editing it."""
        draft = self._drafts.get(key) or _Draft("unknown", None)
        text = clean(post.text)
        if draft.kind == "stream" and draft.shown is not None and text.startswith(draft.shown):
            try:
                await self._stop(post.address, key, text[len(draft.shown) :], post)
            except SlackError as error:
                if error.code != _STREAM_CLOSED:
                    raise _for_edit(error) from None
                draft.kind = "message"
            else:
                self._drafts.pop(key, None)
                return Receipt(key)
        await self._edit(post.address, key, final_content(post) | mark(DELIVERY, "key", post.key))
        self._drafts.pop(key, None)
        return Receipt(key)

    async def _stop(self, address: Address, key: str, rest: str, post: Post | None = None) -> None:
        """End the stream, with what is still to be said and the final blocks when `post` is given."""
        ending: dict[str, Any] = {"markdown_text": rest or None}
        if post is not None:
            ending |= {"blocks": buttons(post) or None} | mark(DELIVERY, "key", post.key)
        try:
            await self._call("chat.stopStream", is_repeatable=True, channel=address.chat, ts=key, **ending)
        except NotSent:
            # It may have been appended all the same, so appending again could say it twice: the next try edits.
            self._forget_shown(key)
            raise

    async def _edit(self, address: Address, key: str, arguments: dict[str, Any]) -> None:
        """Give the message `key` this content. A stream that is still open is closed first."""
        draft = self._drafts.get(key)
        if draft is not None and draft.kind == "stream":
            await self._close_stream(address, key)
        try:
            await self._call("chat.update", is_repeatable=True, channel=address.chat, ts=key, **arguments)
        except SlackError as error:
            if error.code != _STREAM_OPEN:
                raise _for_edit(error) from None
            # A stream of which this process knows nothing: it was begun before a restart.
            await self._close_stream(address, key)
            try:
                await self._call("chat.update", is_repeatable=True, channel=address.chat, ts=key, **arguments)
            except SlackError as again:
                raise _for_edit(again) from None

    async def _close_stream(self, address: Address, key: str) -> None:
        try:
            await self._stop(address, key, "")
        except SlackError as error:
            if error.code != _STREAM_CLOSED:
                raise _for_edit(error) from None
        self._remember(key, _Draft("message", None))

    # ---- finding out --------------------------------------------------------------------------------------------

    async def settle(self, post: Post) -> Receipt | None:
        """The receipt of a post whose outcome is unknown, None when it certainly is not there.

        Looks in the conversation for the metadata that every post of ours carries. A draft of the turn that was lost in
        the same manner is turned into the post. A post is not called missing before its request can no longer be on
        its way.
        """
        post = _in_thread(post)
        if post.draft_key is not None:
            return await self._finish(post, post.draft_key)
        stray: str | None = None
        async for message in self._ours(post):
            key = str(message["ts"])
            event, payload = read_mark(message)
            if event == DELIVERY and payload.get("key") == post.key:
                return Receipt(key)
            shared = slack_files.found_in(message, post.file, known_keys=post.known_keys) if post.file else None
            if shared is not None:
                return Receipt(shared)
            if not message.get("files") and self._is_stray(post, key, event, payload):
                stray = key
        if stray is not None:
            return await self._finish(post, stray)
        if post.file is not None and post.key not in self._unclear_at:
            # Slack shares a file a while after it said so; of one that another process sent, it is not known when.
            self._note_unclear(post.key)
        unclear_at = self._unclear_at.get(post.key)
        settle_after_s = self._settle_after_s * (1 if post.file is None else _FILES_TAKE_LONGER)
        if unclear_at is not None and self._monotonic() - unclear_at < settle_after_s:
            raise OutcomeUnknown("not there yet")
        self._unclear_at.pop(post.key, None)
        return None

    async def _ours(self, post: Post) -> AsyncIterator[dict[str, Any]]:
        """Our own messages in the conversation since the one that is answered."""
        method = "conversations.replies" if post.address.thread else "conversations.history"
        pages = paged(
            self._api,
            method,
            pages=_PAGES,
            channel=post.address.chat,
            ts=post.address.thread,
            oldest=_oldest(post),
            include_all_metadata=True,
            limit=_PAGE_SIZE,
        )
        try:
            async for message in pages:
                if message.get("user") == self._bot_user_id and str(message.get("ts")) not in post.known_keys:
                    yield message
        except SlackError as error:
            raise Rejected(error.code) from None

    def _is_stray(self, post: Post, key: str, event: str, payload: dict[str, Any]) -> bool:
        """Whether a message of ours is this turn's draft whose id never reached us.

        A stream cannot carry metadata while it is open; every other message of ours does, and turns of a conversation
        come one at a time: one of ours without metadata that nobody knows of, after the message answered, is it.
        """
        if post.index != 0 or post.file is not None:
            return False
        if event == DRAFT:
            return payload.get("turn") == str(post.turn_id)
        is_later = post.reply_to is None or not _is_ts(post.reply_to) or float(key) > float(post.reply_to)
        return not event and post.address.thread is not None and key != post.address.thread and is_later

    # ---- drafts -------------------------------------------------------------------------------------------------

    def draft_style(self, address: Address) -> DraftStyle:
        """A message: a native stream in threads, an edited message elsewhere."""
        return DraftStyle.MESSAGE

    def draft_interval_s(self, address: Address) -> float:
        """Slack counts appends and edits for the whole workspace, so drafts share: the more are out, the slower."""
        base = _APPEND_INTERVAL_S if self._streams_at(address) else _UPDATE_INTERVAL_S
        since = self._monotonic() - _DRAFT_IS_ALIVE_S
        return base * max(1, sum(draft.changed_at > since for draft in self._drafts.values()))

    async def draft(
        self, address: Address, turn_id: TurnId, text: str, *, key: str | None, reply_to: str | None
    ) -> str | None:
        """Show `text`, the whole answer so far, and return the id of the message that shows it."""
        shown = settled(split(text)[0]).rstrip() if text.strip() else ""
        if key is None:
            return await self._open_draft(address, turn_id, shown)
        draft = self._drafts.get(key) or _Draft("unknown", None)
        if draft.shown == shown:
            return key
        is_longer = draft.kind == "stream" and draft.shown is not None and shown.startswith(draft.shown)
        if is_longer and await self._append(address, key, draft, shown):
            return key
        await self._edit(address, key, text_content(shown) | mark(DRAFT, "turn", str(turn_id)))
        self._remember(key, _Draft("message", shown))
        return key

    async def _open_draft(self, address: Address, turn_id: TurnId, shown: str) -> str:
        if self._streams_at(address):
            try:
                return await self._start_stream(address, shown)
            except Throttled:
                pass  # Slack did nothing: an edited message will do.
            except SlackError as error:
                log.info("slack_stream_refused", account_id=str(self._account_id), code=error.code)
                self._can_stream = error.code not in _NO_STREAMS
        arguments = text_content(shown) | mark(DRAFT, "turn", str(turn_id))
        answer = await self._post(address, arguments)
        self._remember(str(answer["ts"]), _Draft("message", shown))
        return str(answer["ts"])

    async def _start_stream(self, address: Address, shown: str) -> str:
        self._stream_starts.append(self._monotonic())
        answer = await self._call(
            "chat.startStream",
            is_repeatable=False,
            channel=address.chat,
            thread_ts=address.thread,
            recipient_team_id=address.extra.get("team"),
            recipient_user_id=address.extra.get("user"),
            markdown_text=shown or None,
        )
        if not answer.get("ts"):
            raise OutcomeUnknown("chat.startStream: no ts in the answer")
        self._remember(str(answer["ts"]), _Draft("stream", shown))
        return str(answer["ts"])

    async def _append(self, address: Address, key: str, draft: _Draft, shown: str) -> bool:
        """Append what is new; False when the stream has been closed by Slack, which does so after some minutes."""
        rest = shown[len(draft.shown or "") :]
        try:
            await self._call("chat.appendStream", is_repeatable=True, channel=address.chat, ts=key, markdown_text=rest)
        except NotSent:
            self._forget_shown(key)
            raise
        except SlackError as error:
            if error.code != _STREAM_CLOSED:
                raise _for_edit(error) from None
            self._remember(key, _Draft("message", None))
            return False
        self._remember(key, _Draft("stream", shown))
        return True

    def _streams_at(self, address: Address) -> bool:
        """Whether a draft begun now at this address would be a native stream."""
        now = self._monotonic()
        while self._stream_starts and self._stream_starts[0] < now - 60:
            self._stream_starts.popleft()
        has_recipient = bool(address.extra.get("team") and address.extra.get("user"))
        return (
            self._can_stream
            and address.thread is not None
            and (has_recipient or address.is_private)
            and len(self._stream_starts) < _STREAMS_PER_MINUTE
            and self._blocked_until.get("chat.startStream", 0.0) <= now
        )

    def _remember(self, key: str, draft: _Draft) -> None:
        draft.changed_at = self._monotonic()
        self._drafts[key] = draft
        self._drafts.move_to_end(key)
        while len(self._drafts) > _REMEMBERED_DRAFTS:
            self._drafts.popitem(last=False)

    def _forget_shown(self, key: str) -> None:
        if key in self._drafts:
            self._drafts[key].shown = None

    def _note_unclear(self, post_key: str) -> None:
        self._unclear_at[post_key] = self._monotonic()
        while len(self._unclear_at) > _REMEMBERED_DRAFTS:
            self._unclear_at.popitem(last=False)

    # ---- the rest -----------------------------------------------------------------------------------------------

    async def typing(self, address: Address, turn_id: TurnId) -> None:
        """The status line of an assistant thread; Slack has none elsewhere. It goes away with the next message."""
        if not address.is_private or address.thread is None:
            return
        try:
            await self._call(
                "assistant.threads.setStatus",
                is_repeatable=True,
                channel_id=address.chat,
                thread_ts=address.thread,
                status=say("thinking", address.extra.get("language")),
            )
        except SlackError as error:
            # A thread in a direct message that is no assistant thread, or an app without the feature.
            log.debug("slack_status_refused", account_id=str(self._account_id), code=error.code)

    async def fetch(self, reference: str, *, limit_bytes: int) -> bytes:
        """The bytes of the file with the id `reference`. Raises `Rejected("too_large")` past the limit."""
        try:
            answer = await self._call("files.info", is_repeatable=True, file=reference)
        except SlackError as error:
            raise Rejected(error.code) from None
        file = answer.get("file") or {}
        if int(file.get("size") or 0) > limit_bytes:
            raise Rejected("too_large")
        url = file.get("url_private_download") or file.get("url_private")
        if not url or file.get("is_external"):
            # An external file lies with somebody else, who must not get the token.
            raise Rejected("file_elsewhere")
        is_page = str(file.get("mimetype", "")).startswith("text/html")
        return await self._api.download(str(url), is_page=is_page, limit_bytes=limit_bytes)

    async def _call(self, method: str, *, is_repeatable: bool, **arguments: object) -> dict[str, Any]:
        """Slack's answer. After a 429 of a method that is counted for the workspace, that method rests, no other.

        chat.postMessage is counted for each channel, so one channel's 429 says nothing of another's.
        """
        rest_s = self._blocked_until.get(method, 0.0) - self._monotonic()
        if rest_s > 0:
            raise Throttled(retry_after_s=rest_s)
        try:
            return await self._api.call(method, is_repeatable=is_repeatable, **arguments)
        except Throttled as throttled:
            if method != "chat.postMessage":
                self._blocked_until[method] = self._monotonic() + throttled.retry_after_s
            raise


def _in_thread(post: Post) -> Post:
    """The post with the thread that it belongs into as its address."""
    if post.under is None or post.address.thread is not None:
        return post
    return replace(post, address=replace(post.address, thread=post.under))


def _oldest(post: Post) -> str:
    """Where to begin looking: at the message answered, by Slack's clock; else when the delivery was made, by ours."""
    if post.reply_to and _is_ts(post.reply_to):
        return post.reply_to
    made_at_ms = post.delivery_id.int >> 80  # UUIDv7: the first 48 bits
    return f"{made_at_ms / 1000 - _CLOCK_SLACK_S:.6f}"


def _is_ts(key: str) -> bool:
    return re.fullmatch(r"\d+\.\d+", key) is not None


def _for_edit(error: SlackError) -> Exception:
    """What a refused edit means: a draft that can no longer be changed, or a chat that is closed to us."""
    return DraftLost(error.code) if error.code in {_STREAM_CLOSED, _STREAM_OPEN} else Rejected(error.code)
