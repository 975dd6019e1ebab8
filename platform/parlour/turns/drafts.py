"""Showing an answer while it is written: best effort, thinned to the messenger's limits, never after the final."""

import asyncio
import contextlib
from collections import OrderedDict

import structlog

from parlour.privacy.errors import PrivacyError
from parlour.privacy.sealing import Sealer
from parlour.store.errors import StoreError
from parlour.store.ids import TurnId
from parlour.turns.budget import SendBudget
from parlour.turns.draft_rows import DraftRows, MayShow
from parlour.turns.metrics import Metrics
from parlour.turns.ports import (
    CredentialsRejected,
    DraftLost,
    DraftStyle,
    Live,
    Messenger,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Throttled,
)
from parlour.turns.shipments import DraftTarget

log = structlog.get_logger(__name__)

# An answer that is done within this time needs no draft: it would cost two sends instead of one.
_FIRST_MESSAGE_AFTER_S = 1.0
# One that is done within this time needs no sign that it is coming either.
_QUICK_S = 0.5
# Telegram shows a typing action for five seconds.
_TYPING_EVERY_S = 4.5
_CLOSED_REMEMBERED = 10_000
# No worker is silent for so long: the turn is answered elsewhere, or not at all.
_SILENCE_S = 600.0


class _Draft:
    """The draft of one turn."""

    def __init__(self) -> None:
        self.body: bytes | None = None
        self.changed = asyncio.Event()
        self.closed = asyncio.Event()
        self.key: str | None = None
        self.task: asyncio.Task[None] | None = None


class Drafts:
    """All drafts of one account."""

    def __init__(
        self,
        *,
        messenger: Messenger,
        rows: DraftRows,
        sealer: Sealer,
        budget: SendBudget,
        metrics: Metrics,
        channel: str,
    ) -> None:
        self._messenger = messenger
        self._rows = rows
        self._sealer = sealer
        self._budget = budget
        self._metrics = metrics
        self._channel = channel
        self._open: dict[TurnId, _Draft] = {}
        self._closed: OrderedDict[TurnId, None] = OrderedDict()

    def begin(self, turn_id: TurnId) -> None:
        """A worker has taken the turn: show that something is coming."""
        if turn_id in self._closed or turn_id in self._open:
            return
        draft = self._open[turn_id] = _Draft()
        draft.task = asyncio.create_task(self._show(turn_id, draft), name=f"draft-{turn_id}")

    def offer(self, live: Live) -> None:
        """A newer text of the answer; whatever was not shown of the older one is skipped."""
        self.begin(live.turn_id)
        draft = self._open.get(live.turn_id)
        if draft is not None:
            if draft.changed.is_set():
                self._metrics.draft_dropped(self._channel)
            draft.body = live.body
            draft.changed.set()

    async def close(self, turn_id: TurnId) -> str | None:
        """End the turn's drafts for good and return the id of the one that is out, if one is.

        Waits for a request that is on its way: a draft that arrived after the final would be its last word.
        """
        self._closed[turn_id] = None
        while len(self._closed) > _CLOSED_REMEMBERED:
            self._closed.popitem(last=False)
        draft = self._open.pop(turn_id, None)
        if draft is None or draft.task is None:
            return None
        draft.closed.set()
        draft.changed.set()
        await asyncio.gather(draft.task, return_exceptions=True)
        return draft.key

    async def close_all(self) -> None:
        """End all drafts: the process goes away or lost its lease."""
        for draft in self._open.values():
            if draft.task is not None:
                draft.task.cancel()
        await asyncio.gather(*[draft.task for draft in self._open.values() if draft.task], return_exceptions=True)
        self._open.clear()

    async def _show(self, turn_id: TurnId, draft: _Draft) -> None:
        try:
            await self._pause(draft, _QUICK_S)
            target = None if draft.closed.is_set() else await asyncio.to_thread(self._rows.target, turn_id)
            if target is None:
                return
            await self._type(target)
            style = self._messenger.draft_style(target.address)
            if style is DraftStyle.NONE:
                return
            if style is DraftStyle.MESSAGE:
                await self._pause(draft, _FIRST_MESSAGE_AFTER_S)
            while await self._next(target, draft):
                may_show = await self._register(target, draft, style)
                if may_show is MayShow.NEVER:
                    return
                if may_show is MayShow.YES:
                    await self._post(target, draft, style)
                await self._pause(draft, self._messenger.draft_interval_s(target.address))
        except (StoreError, PrivacyError) as error:
            log.warning("draft_ended", turn_id=str(turn_id), reason=type(error).__name__)
        except (Throttled, NotSent, OutcomeUnknown, Rejected, DraftLost, CredentialsRejected) as error:
            # Drafts are a courtesy: at the first trouble the turn goes on without, the final will come.
            log.info("draft_ended", turn_id=str(turn_id), reason=type(error).__name__)
        except Exception:  # a task begins here: whatever goes wrong, the answer itself will come
            log.exception("draft_broke", turn_id=str(turn_id))

    async def _type(self, target: DraftTarget) -> None:
        if self._budget_wait(target) == 0.0:
            try:
                await self._messenger.typing(target.address, target.turn_id)
            except Throttled as error:
                self._note_throttle(target, error)
            except (NotSent, OutcomeUnknown, Rejected) as error:
                log.info("typing_not_shown", turn_id=str(target.turn_id), reason=type(error).__name__)

    def _budget_wait(self, target: DraftTarget) -> float:
        return self._budget.reserve(target.lane, self._messenger.limits(target.address), is_draft=True)

    async def _next(self, target: DraftTarget, draft: _Draft) -> bool:
        """Wait for text that was not shown; False when the drafts were closed or no more is to come."""
        for _ in range(round(_SILENCE_S / _TYPING_EVERY_S)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TYPING_EVERY_S):
                    await draft.changed.wait()
                draft.changed.clear()
                return not draft.closed.is_set()
            await self._type(target)
        return False

    async def _pause(self, draft: _Draft, seconds: float) -> None:
        """Let time pass, but not past the close of the drafts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await draft.closed.wait()

    async def _register(self, target: DraftTarget, draft: _Draft, style: DraftStyle) -> MayShow:
        """Whether it may be posted now; a first message of its own goes into the ledger before it goes out."""
        if style is not DraftStyle.MESSAGE or draft.key is not None:
            return MayShow.YES
        may_show, draft.key = await asyncio.to_thread(self._rows.begin, target)
        if may_show is MayShow.NOT_YET:
            self._metrics.draft_dropped(self._channel)
        return may_show

    async def _post(self, target: DraftTarget, draft: _Draft, style: DraftStyle) -> None:
        body = draft.body
        wait_s = self._budget_wait(target)
        if body is None or wait_s > 0 or draft.closed.is_set():
            await self._skip(target, draft, style)
            return
        text = self._sealer.open_live(target.user_id, target.turn_id, body).decode()
        was_open = draft.key is not None
        try:
            key = await self._messenger.draft(
                target.address, target.turn_id, text, key=draft.key, reply_to=target.reply_to
            )
        except (Throttled, NotSent, Rejected, CredentialsRejected) as error:
            if isinstance(error, Throttled):
                self._note_throttle(target, error)
            if style is DraftStyle.MESSAGE and not was_open:
                await asyncio.to_thread(self._rows.is_not_out, target)
            raise
        self._metrics.draft_sent(self._channel)
        if key is not None and not was_open:
            draft.key = key
            await asyncio.to_thread(self._rows.is_out, target, key)

    async def _skip(self, target: DraftTarget, draft: _Draft, style: DraftStyle) -> None:
        self._metrics.draft_dropped(self._channel)
        if style is DraftStyle.MESSAGE and draft.key is None:
            await asyncio.to_thread(self._rows.is_not_out, target)

    def _note_throttle(self, target: DraftTarget, error: Throttled) -> None:
        self._metrics.throttled(self._channel)
        self._budget.block(target.lane, seconds=error.retry_after_s, is_whole_account=error.scope == "account")
