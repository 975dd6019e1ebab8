"""The steps of a turn's life by name, each a boundary between two side effects at which a process may die."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from parlour.turns.draft_rows import MayShow
from parlour.turns.ports import Verdict

Process = Literal["gateway", "worker", "scheduler"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the function at a step: what it was given, by name, and what it returned, if it has."""

    given: Mapping[str, Any]
    returned: Any = None


@dataclass(frozen=True, slots=True)
class Step:
    """A place in the code, `module:Class.function` or `module:function`, and whether death comes before or after it.

    `is_reached`: whether a call is the boundary. One that does nothing (no turn to claim, nothing due) is none. `skip`:
    so many that are go by first.
    """

    process: Process
    place: str
    when: Literal["before", "after"]
    tells: str
    is_reached: Callable[[Call], bool] = lambda _: True
    skip: int = 0


def _has_returned(call: Call) -> bool:
    return bool(call.returned)


def _has_accepted(call: Call) -> bool:
    return any(taken.verdict is Verdict.ACCEPTED for taken in call.returned)


def _may_show(call: Call) -> bool:
    may_show, _ = call.returned
    return may_show is MayShow.YES


def _has_following(call: Call) -> bool:
    return call.given["following"] is not None


STEPS: Final[Mapping[str, Step]] = MappingProxyType(
    {
        "intake.begin": Step("gateway", "parlour.turns.intake:TakeIn._commit", "before", "fetched, nothing stored"),
        "intake.committed": Step("gateway", "parlour.turns.intake:TakeIn._commit", "after", "stored, not published"),
        "intake.told": Step(
            "gateway", "parlour.turns.intake:TakeIn._tell", "after", "one of a batch published, the next not"
        ),
        "intake.next": Step(
            "gateway",
            "parlour.turns.intake:TakeIn._commit",
            "before",
            "some of a batch stored and published, the others not",
            skip=1,
        ),
        "intake.published": Step(
            "gateway", "parlour.turns.intake:TakeIn.receive_all", "after", "told, not confirmed", _has_accepted
        ),
        "answer.claimed": Step(
            "worker", "parlour.turns.order:Order.claim", "after", "leased, nothing done", _has_returned
        ),
        "answer.asked": Step("worker", "parlour.turns.answer:Answerer._generate", "before", "read, model not asked"),
        "answer.written": Step("worker", "parlour.turns.answer:Answerer._finish", "before", "written, not committed"),
        "answer.committed": Step(
            "worker", "parlour.turns.answer:Answerer._after", "before", "committed, nobody told", _has_following
        ),
        "answer.told": Step(
            "worker", "parlour.turns.answer:Answerer._after", "after", "committed and told", _has_following
        ),
        "failure.committed": Step(
            "worker", "parlour.turns.answer:Answerer._after", "before", "given up, nobody told", _has_following
        ),
        "failure.told": Step(
            "worker", "parlour.turns.answer:Answerer._after", "after", "given up and told", _has_following
        ),
        "drain.handed back": Step("worker", "parlour.turns.order:Order.hand_back", "after", "let go, nobody told"),
        "drain.told": Step("worker", "parlour.turns.answer:Answerer._publish_next", "after", "let go and told"),
        "delivery.held": Step(
            "gateway", "parlour.turns.ledger:Ledger.hold", "after", "sender's lease taken, nothing sent", _has_returned
        ),
        "delivery.taken": Step("gateway", "parlour.turns.deliver:Sender._try", "before", "marked, not sent"),
        "delivery.sent": Step("gateway", "parlour.turns.deliver:Sender._request", "after", "sent, not written down"),
        "delivery.noted": Step("gateway", "parlour.turns.ledger:Ledger.record", "before", "known, not written down"),
        "delivery.recorded": Step("gateway", "parlour.turns.ledger:Ledger.record", "after", "written down"),
        "file.fetched": Step(
            "gateway", "parlour.turns.attachments:AttachmentStore.keep", "before", "a file fetched, not kept"
        ),
        "file.kept": Step("gateway", "parlour.turns.attachments:AttachmentStore.keep", "after", "a file kept"),
        "part.recorded": Step(
            "gateway",
            "parlour.turns.ledger:Ledger.record",
            "after",
            "a part written down, the next one not taken",
            lambda call: any(one.shipment.index + 1 < one.shipment.count for one in call.given["outcomes"]),
        ),
        "part.sent": Step(
            "gateway",
            "parlour.turns.deliver:Sender._request",
            "after",
            "the next part sent, not written down",
            lambda call: call.given["shipment"].index > 0,
        ),
        "draft.begun": Step(
            "gateway", "parlour.turns.draft_rows:DraftRows.begin", "after", "in the ledger, not posted", _may_show
        ),
        "draft.posted": Step("gateway", "parlour.turns.draft_rows:DraftRows.is_out", "before", "posted, id not noted"),
        "draft.noted": Step("gateway", "parlour.turns.draft_rows:DraftRows.is_out", "after", "posted, id noted"),
        "settle.placed": Step(
            "gateway", "parlour.channels.telegram_settling:Settling._look", "before", "placeholder out, nothing tried"
        ),
        "settle.found": Step(
            "gateway", "parlour.channels.telegram_settling:Settling._clean_up", "before", "found, placeholder there"
        ),
        "settle.done": Step(
            "gateway", "parlour.channels.telegram_settling:Settling.settle", "after", "settled, not written down"
        ),
        "leave.done": Step(
            "gateway", "parlour.turns.ledger:Ledger.let_go", "before", "all written down, lease not given back"
        ),
        "leave.let go": Step("gateway", "parlour.turns.ledger:Ledger.let_go", "after", "lease given back"),
        "sweep.found": Step(
            "scheduler",
            "parlour.turns.sweeper:_publish",
            "before",
            "found, not published",
            lambda call: bool(call.given["due"]),
        ),
        "sweep.published": Step(
            "scheduler", "parlour.turns.sweeper:_publish", "after", "published, not noted", _has_returned
        ),
    }
)
