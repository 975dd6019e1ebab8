"""Parlour's protections, each of which can be taken away to see that the judge notices."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Protection:
    """One of them: how to take it away in a process, and what to drop from the database besides."""

    take_away: Callable[[], None]
    statements: tuple[str, ...] = ()


def _no_lease() -> None:
    """Whoever comes takes the conversation."""
    from sqlalchemy import select, update  # noqa: PLC0415 (only in a process that is to lack it)

    from parlour.store.models import Conversation, Turn  # noqa: PLC0415
    from parlour.turns import order  # noqa: PLC0415

    take = order.Order._take_lease

    def take_over(self: order.Order, session: Any, turn_id: Any, now: Any) -> Any:
        whose = select(Turn.conversation_id).where(Turn.id == turn_id).scalar_subquery()
        session.execute(update(Conversation).where(Conversation.id == whose).values(lease_until=None))
        return take(self, session, turn_id, now)

    order.Order._take_lease = take_over  # type: ignore[method-assign]


def _no_fence() -> None:
    """A worker back from the dead may write; nobody tells it that its lease is gone; a turn may be delivered twice."""
    from sqlalchemy import insert  # noqa: PLC0415

    from parlour.store.models import Delivery  # noqa: PLC0415
    from parlour.store.prepared import Change  # noqa: PLC0415
    from parlour.turns import order, outbox, running  # noqa: PLC0415

    answer: Any = importlib.import_module("parlour.turns.answer")

    def release(session: Any, conversation_id: Any, fence: int) -> bool:
        del session, conversation_id, fence
        return True

    order.release = answer.release = release
    running.Running.look = lambda _: None  # type: ignore[method-assign,assignment]
    # The fence's second lock: the ledger has one row a turn, so that a late answer only edits the one that is there.
    outbox._DELIVER = Change(insert(Delivery), columns=outbox._DELIVERY)  # type: ignore[misc]


def _no_ledger() -> None:
    """What may have been sent is sent again without asking."""
    from parlour.turns.ledger import Ledger  # noqa: PLC0415

    shipment = Ledger._shipment

    def blind(self: Ledger, *args: Any, **kwargs: Any) -> Any:
        return replace(shipment(self, *args, **kwargs), must_settle=False)

    Ledger._shipment = blind  # type: ignore[method-assign]


def _no_sweeper() -> None:
    """What the broker loses stays lost."""
    from parlour.turns import sweeper  # noqa: PLC0415

    def nothing(session: Any, is_due: Any, *, now: Any) -> list[Any]:
        del session, is_due, now
        return []

    sweeper._due = nothing


PROTECTIONS: Mapping[str, Protection] = MappingProxyType(
    {
        "lease": Protection(_no_lease),
        "fence": Protection(_no_fence, ("ALTER TABLE deliveries DROP CONSTRAINT uq_deliveries_turn_id_ordinal",)),
        "unique event": Protection(lambda: None, ("ALTER TABLE turns DROP CONSTRAINT uq_turns_account_id_event_id",)),
        "ledger": Protection(_no_ledger),
        "sweeper": Protection(_no_sweeper),
    }
)
