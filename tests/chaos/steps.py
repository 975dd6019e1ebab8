"""The steps of a turn's life by name, each a boundary between two side effects at which a process may die."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Process = Literal["gateway", "worker", "scheduler"]


@dataclass(frozen=True, slots=True)
class Step:
    """A place in the code, `module:Class.function` or `module:function`, and whether death comes before or after it."""

    process: Process
    place: str
    when: Literal["before", "after"]
    tells: str


STEPS: Mapping[str, Step] = MappingProxyType(
    {
        "intake.begin": Step("gateway", "parlour.turns.intake:TakeIn._commit", "before", "fetched, nothing stored"),
        "intake.committed": Step("gateway", "parlour.turns.intake:TakeIn._commit", "after", "stored, not published"),
        "intake.published": Step("gateway", "parlour.turns.intake:TakeIn.receive_all", "after", "told, not confirmed"),
        "answer.claimed": Step("worker", "parlour.turns.order:Order.claim", "after", "leased, nothing done"),
        "answer.asked": Step("worker", "parlour.turns.answer:Answerer._generate", "before", "read, model not asked"),
        "answer.written": Step("worker", "parlour.turns.answer:Answerer._finish", "before", "written, not committed"),
        "answer.committed": Step("worker", "parlour.turns.answer:Answerer._after", "before", "committed, nobody told"),
        "answer.told": Step("worker", "parlour.turns.answer:Answerer._after", "after", "committed and told"),
        "delivery.taken": Step("gateway", "parlour.turns.deliver:Sender._try", "before", "marked, not sent"),
        "delivery.sent": Step("gateway", "parlour.turns.deliver:Sender._request", "after", "sent, not written down"),
        "delivery.noted": Step("gateway", "parlour.turns.ledger:Ledger.record", "before", "known, not written down"),
        "delivery.recorded": Step("gateway", "parlour.turns.ledger:Ledger.record", "after", "written down"),
        "sweep.found": Step("scheduler", "parlour.turns.sweeper:_publish", "before", "found, not published"),
        "sweep.published": Step("scheduler", "parlour.turns.sweeper:_publish", "after", "published, not noted"),
    }
)
