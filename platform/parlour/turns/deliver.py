"""Posting what is due in one account: taken from the ledger, sent side by side, written down. No sleeps on limits."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import structlog

from parlour.privacy.errors import KeysUnavailable
from parlour.privacy.sealing import Sealer
from parlour.store.errors import StoreError
from parlour.turns.budget import SendBudget
from parlour.turns.drafts import Drafts
from parlour.turns.ledger import Ledger
from parlour.turns.metrics import Metrics
from parlour.turns.ports import (
    CredentialsRejected,
    DraftLost,
    Frame,
    LiveBus,
    Messenger,
    NotSent,
    OutcomeUnknown,
    Post,
    Receipt,
    Rejected,
    Throttled,
)
from parlour.turns.said import Enclosure
from parlour.turns.shipments import Outcome, Shipment, with_draft
from parlour.turns.states import DeliveryState

log = structlog.get_logger(__name__)

Said = TypeVar("Said")

# Without a hint from the bus the ledger is looked at this often.
_POLL_S = 1.0
_BATCH = 50
# After something was done for one, so long nothing more is: what comes meanwhile is done together.
_GATHER_S = 0.02
_IN_FLIGHT = 100
# Each is whole in memory while it is on its way.
_FILES_IN_FLIGHT = 8
_BACKOFF_LONGEST_S = 60.0
_CREDENTIALS_PAUSE_S = 60.0
_DRAIN_S = 15.0
_RECORD_S = 5.0
# The largest file over a slow line, and the longest search for what is unknown. Past it a request hangs.
_LONGEST_S = 600.0


class Sender:
    """The posting of one account by one gateway."""

    def __init__(  # noqa: PLR0913 (each a part of its own; one place calls this)
        self,
        *,
        messenger: Messenger,
        channel: str,
        ledger: Ledger,
        bus: LiveBus,
        budget: SendBudget,
        sealer: Sealer,
        metrics: Metrics,
        on_rejected: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
        longest_s: float = _LONGEST_S,
        rest: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._longest_s = longest_s
        self._rest = rest
        self._messenger = messenger
        self._channel = channel
        self._ledger = ledger
        self._bus = bus
        self._budget = budget
        self._metrics = metrics
        self._on_rejected = on_rejected
        self._monotonic = monotonic
        self._drafts = Drafts(
            messenger=messenger, rows=ledger.drafts, sealer=sealer, budget=budget, metrics=metrics, channel=channel
        )
        self._held_until = 0.0
        self._is_first_hold = True
        self._wake = asyncio.Event()
        self._is_told = False
        self._room_for_files = asyncio.Semaphore(_FILES_IN_FLIGHT)
        # None is the last: no more will come.
        self._outcomes: asyncio.Queue[Outcome | None] = asyncio.Queue()
        self._in_flight: set[asyncio.Task[None]] = set()

    @property
    def is_holding(self) -> bool:
        """Whether this process may post: its lease was confirmed and has not run out since."""
        return self._monotonic() < self._held_until

    async def run(self) -> None:
        """Post until cancelled; then finish what is on its way and give the lease back.

        A part that breaks ends the whole with what it raised: half a sender would hold the lease and do nothing.
        """
        helpers = [
            asyncio.create_task(work, name=f"{name}-{self._channel}")
            for name, work in (
                ("lease", self._keep_lease()),
                ("listen", self._listen()),
                ("record", self._keep_record()),
            )
        ]
        try:
            while True:
                next_due_s = await self._ship_due() if self.is_holding else None
                await self._wait(_POLL_S if next_due_s is None else min(_POLL_S, next_due_s))
                for helper in helpers:
                    if helper.done():
                        helper.result()
        finally:
            await self._wind_up(helpers)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.005)):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _keep_lease(self) -> None:
        period_s = self._ledger.lease.total_seconds() / 3
        while True:
            asked_at = self._monotonic()
            try:
                held = await asyncio.to_thread(self._hold)
            except StoreError as error:
                log.warning("sender_lease_not_renewed", channel=self._channel, reason=type(error).__name__)
                await asyncio.sleep(1.0)
                continue
            was_holding = self.is_holding
            self._held_until = asked_at + self._ledger.lease.total_seconds() if held else 0.0
            if held and not was_holding:
                log.info("sender_lease_taken", channel=self._channel, account_id=str(self._messenger.account_id))
                self._wake.set()
            if was_holding and not held:
                log.warning("sender_lease_lost", channel=self._channel, account_id=str(self._messenger.account_id))
                await self._drafts.close_all()
            await asyncio.sleep(period_s if held else min(period_s, 1.0))

    def _hold(self) -> bool:
        held = self._ledger.hold(self._messenger.account_id, is_first=self._is_first_hold)
        self._is_first_hold = self._is_first_hold and not held
        return held

    async def _listen(self) -> None:
        async for live in self._bus.subscribe([self._messenger.account_id]):
            if live.frame is Frame.READY:
                self._is_told = True
                self._wake.set()
            elif not self.is_holding:
                continue
            elif live.frame is Frame.TAKEN:
                self._drafts.begin(live.turn_id)
            else:
                self._drafts.offer(live)

    async def _ship_due(self) -> float | None:
        """Take what is due and start sending it; after how many seconds to look again, None for the usual time."""
        room = _IN_FLIGHT - len(self._in_flight)
        if room <= 0:
            return None
        is_told, self._is_told = self._is_told, False
        try:
            shipments, next_due_s = await asyncio.to_thread(
                self._ledger.take_due, self._messenger, limit=min(room, _BATCH), is_told=is_told
            )
        except StoreError as error:
            log.warning("ledger_unreadable", channel=self._channel, reason=type(error).__name__)
            return None
        for shipment in shipments:
            task = asyncio.create_task(self._ship(shipment), name=f"ship-{shipment.delivery_id}")
            self._in_flight.add(task)
            task.add_done_callback(self._landed)
        if len(shipments) == min(room, _BATCH):
            self._wake.set()
        elif shipments:
            await self._rest(_GATHER_S)
        return next_due_s

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if len(self._in_flight) == _IN_FLIGHT - 1:
            self._wake.set()

    async def _ship(self, shipment: Shipment) -> None:
        try:
            shipment = with_draft(shipment, await self._ending(self._drafts.close(shipment.turn_id)))
            outcome = await self._try(shipment)
        except Exception as error:  # a delivery begins here: one that breaks must not stop the others
            log.exception("delivery_broke", delivery_id=str(shipment.delivery_id))
            # Nobody can say how far it came, so it is settled before anything is sent again.
            outcome = self._again(shipment, DeliveryState.UNKNOWN, type(error).__name__)
        await self._outcomes.put(outcome)

    async def _try(self, shipment: Shipment) -> Outcome:
        """One request and what it means for the ledger."""
        if not self.is_holding:
            # Frozen past the lease: another gateway may have the account by now. If so, this record is refused too.
            return Outcome(shipment, shipment.state_for_later, counts=False)
        self._metrics.sent(self._channel)
        try:
            receipt = await self._request(shipment)
        except (Throttled, NotSent, OutcomeUnknown, DraftLost, Rejected) as refusal:
            return self._refused(shipment, refusal)
        except CredentialsRejected:
            return await self._locked_out(shipment)
        if receipt is not None:
            return Outcome(shipment, DeliveryState.SENT, external_key=receipt.external_key)
        # Settled: it is certainly not there, and neither is a draft of it whose fate was open.
        is_draft_open = shipment.index == 0 and not shipment.has_draft
        return Outcome(shipment, DeliveryState.PENDING, drops_draft=is_draft_open)

    def _refused(
        self, shipment: Shipment, refusal: Throttled | NotSent | OutcomeUnknown | DraftLost | Rejected
    ) -> Outcome:
        match refusal:
            case Throttled():
                return self._throttled(shipment, refusal)
            case NotSent():
                return self._again(shipment, shipment.state_for_later, "not_sent")
            case DraftLost() if shipment.draft_key is not None:
                return Outcome(shipment, DeliveryState.PENDING, drops_draft=True, error="draft_lost")
            case Rejected():
                log.warning("delivery_rejected", delivery_id=str(shipment.delivery_id), code=refusal.code)
                return Outcome(shipment, DeliveryState.FAILED, error=refusal.code[:64])
        return self._again(shipment, DeliveryState.UNKNOWN, "unknown")

    async def _locked_out(self, shipment: Shipment) -> Outcome:
        """The token is refused: the account is marked so, and the delivery waits for an operator."""
        log.error("credentials_rejected", channel=self._channel, account_id=str(self._messenger.account_id))
        await asyncio.to_thread(self._on_rejected)
        return Outcome(shipment, shipment.state_for_later, delay_s=_CREDENTIALS_PAUSE_S, error="credentials")

    async def _request(self, shipment: Shipment) -> Receipt | None:
        known = frozenset[str]()
        if shipment.must_settle:
            known = await asyncio.to_thread(self._ledger.known_keys, shipment)
        post = self._post(shipment, known)
        if shipment.enclosure is not None:
            return await self._request_file(shipment, shipment.enclosure, post)
        # What replaces a draft is an edit: doing it twice is doing it once, so there is nothing to settle.
        if shipment.must_settle and post.draft_key is None:
            return await self._ending(self._messenger.settle(post))
        return await self._ending(self._messenger.send(post))

    async def _request_file(self, shipment: Shipment, enclosure: Enclosure, post: Post) -> Receipt | None:
        """As for a text; its bytes are read only now."""
        async with self._room_for_files:
            file = await asyncio.to_thread(self._ledger.file, shipment.user_id, enclosure)
            if file is None:
                raise Rejected("file_gone")
            post = replace(post, file=file)
            ask = self._messenger.settle if shipment.must_settle else self._messenger.send
            return await self._ending(ask(post))

    async def _ending(self, request: Awaitable[Said]) -> Said:
        """The request, which may not go on for ever: past the limit its outcome is unknown, like that of any other."""
        async with asyncio.timeout(self._longest_s):
            return await request

    def _post(self, shipment: Shipment, known: frozenset[str]) -> Post:
        return Post(
            key=f"{shipment.delivery_id}:{shipment.index}",
            delivery_id=shipment.delivery_id,
            turn_id=shipment.turn_id,
            address=shipment.address,
            text=shipment.text,
            index=shipment.index,
            count=shipment.count,
            draft_key=shipment.draft_key,
            reply_to=shipment.reply_to,
            language=shipment.language,
            asks_feedback=shipment.is_answer and shipment.is_handle and shipment.enclosure is None,
            known_keys=known,
            under=shipment.under,
            buttons=shipment.buttons,
        )

    def _throttled(self, shipment: Shipment, error: Throttled) -> Outcome:
        self._metrics.throttled(self._channel)
        whole = error.scope == "account"
        self._budget.block(shipment.lane, seconds=error.retry_after_s, is_whole_account=whole)
        return Outcome(
            shipment,
            shipment.state_for_later,
            delay_s=error.retry_after_s,
            error="throttled",
            counts=False,
            holds_up_chat=True,
        )

    def _again(self, shipment: Shipment, state: DeliveryState, error: str) -> Outcome:
        delay_s = min(_BACKOFF_LONGEST_S, 0.5 * 2 ** min(shipment.attempts, 10))
        return Outcome(shipment, state, delay_s=delay_s * random.uniform(0.8, 1.2), error=error)  # noqa: S311 (spreading)

    async def _keep_record(self) -> None:
        """Write outcomes down, as many at once as have come: one commit serves them all."""
        is_last = False
        while not is_last:
            come = [await self._outcomes.get()]
            while not self._outcomes.empty():
                come.append(self._outcomes.get_nowait())
            is_last = None in come
            if outcomes := [outcome for outcome in come if outcome is not None]:
                await self._record(outcomes)
                await self._rest(_GATHER_S)

    async def _record(self, outcomes: list[Outcome]) -> None:
        is_more_waiting = await self._written(outcomes)
        for outcome in outcomes:
            is_last = outcome.shipment.index + 1 == outcome.shipment.count
            if outcome.state is DeliveryState.FAILED or (outcome.state is DeliveryState.SENT and is_last):
                self._metrics.delivered(self._channel, outcome.state.value)
        # The next part, or the next answer of these conversations, may go now.
        if is_more_waiting:
            self._wake.set()

    async def _written(self, outcomes: list[Outcome]) -> bool:
        """Write them down however long it takes; whether more is waiting."""
        while True:
            try:
                return await asyncio.to_thread(self._ledger.record, outcomes)
            except (StoreError, KeysUnavailable) as error:
                # What the messenger said must not be forgotten while we live; after a crash it would be settled anew.
                log.warning("outcomes_not_recorded", count=len(outcomes), reason=type(error).__name__)
                await asyncio.sleep(0.5)

    async def _wind_up(self, helpers: list[asyncio.Task[None]]) -> None:
        lease, listen, record = helpers
        listen.cancel()
        await self._drafts.close_all()
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=_DRAIN_S)
        # The record is ended by a word, not cancelled: that could lose what it is just about to write.
        await self._outcomes.put(None)
        await asyncio.wait([record], timeout=_RECORD_S)
        record.cancel()
        lease.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        try:
            await asyncio.to_thread(self._ledger.let_go, self._messenger.account_id)
        except StoreError as error:
            log.warning("sender_lease_not_given_back", channel=self._channel, reason=type(error).__name__)
