"""Parlour's protections, each of which can be taken away to see that the judge notices."""

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
    """Whoever comes takes the conversation; and the broker repeats itself, which the lease is there for."""
    from sqlalchemy import bindparam, select, update  # noqa: PLC0415 (only in a process that is to lack it)

    from parlour.store.models import Conversation, Turn  # noqa: PLC0415
    from parlour.turns import order, tasks  # noqa: PLC0415

    order._TAKE_LEASE = (
        update(Conversation)
        .where(Conversation.id == select(Turn.conversation_id).where(Turn.id == bindparam("turn")).scalar_subquery())
        .values(lease_owner=bindparam("worker"), lease_until=bindparam("until"), fence=Conversation.fence + 1)
        .returning(
            Conversation.id,
            Conversation.workspace_id,
            Conversation.fence,
            Conversation.mode,
            Conversation.fresh_from_seq,
        )
        .execution_options(synchronize_session=False)
    )
    publish = tasks.CeleryQueue.publish

    def repeat(self: tasks.CeleryQueue, turn_id: Any) -> None:
        for _ in range(6):
            publish(self, turn_id)

    tasks.CeleryQueue.publish = repeat  # type: ignore[method-assign]


def _no_fence() -> None:
    """A worker back from the dead may write; and nobody tells it that its lease is gone."""
    from parlour.turns import answer, order, running  # noqa: PLC0415

    def release(session: Any, conversation_id: Any, fence: int) -> bool:
        del session, conversation_id, fence
        return True

    order.release = answer.release = release
    running.Running.look = lambda self: None  # type: ignore[method-assign]


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

    sweeper._due = lambda session, is_due, *, now: []


PROTECTIONS: Mapping[str, Protection] = MappingProxyType(
    {
        "lease": Protection(_no_lease),
        # The unique key is the fence's second lock: without it, too, a late answer would become a second delivery.
        "fence": Protection(_no_fence, ("ALTER TABLE deliveries DROP CONSTRAINT uq_deliveries_turn_id_ordinal",)),
        "unique event": Protection(lambda: None, ("ALTER TABLE turns DROP CONSTRAINT uq_turns_account_id_event_id",)),
        "ledger": Protection(_no_ledger),
        "sweeper": Protection(_no_sweeper),
    }
)
