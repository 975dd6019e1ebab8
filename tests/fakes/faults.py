"""Faults that a fake messenger can be told to have: which requests they hit, how often, and what happens to them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Literal, get_args

FaultKind = Literal[
    "throttle",  # 429 with `retry_after`; nothing is done
    "reset",  # the connection is reset before anything is done
    "lose",  # the work is done, then the connection is reset
    "hang",  # the work is done, then no answer comes for `seconds`
    "error_before",  # an answer of `status`; nothing is done
    "error_after",  # the work is done, then an answer of `status`
    "refuse",  # a 400 with `description`; nothing is done
    "slow",  # the answer takes `seconds`
    "down",  # every connection is reset
    "redeliver",  # events that were confirmed come once more, with the same ids
    "reorder",  # events that wait come in another order
    "duplicate",  # an event is delivered twice to a webhook
]


@dataclass(slots=True)
class Fault:
    """One rule. It hits requests of `method` (None: any) about `chat` (None: any), after `skip` of them, `times` times
    (None: for ever), each with `probability`.
    """

    kind: FaultKind
    method: str | None = None
    chat: str | None = None
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    retry_after: int = 1
    status: int = 502
    seconds: float = 0.0
    description: str = "Bad Request"

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"No fault {self.kind!r}. There are: {', '.join(get_args(FaultKind))}")

    def matches(self, method: str, chat: str | None) -> bool:
        """Whether this rule is about such a request."""
        same_chat = self.chat is None or self.chat == chat
        return same_chat and (self.method is None or self.method.lower() == method.lower())


class FaultPlan:
    """All rules in force. The same seed and the same requests give the same faults."""

    def __init__(self, *, seed: int = 0) -> None:
        self._random = Random(seed)
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Put a rule in force, behind those that are."""
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Be well again."""
        self._faults.clear()

    def seed(self, seed: int) -> None:
        """Start the dice anew."""
        self._random = Random(seed)

    def describe(self) -> list[dict[str, Any]]:
        """The rules in force, with what is left of each."""
        return [asdict(fault) for fault in self._faults]

    def take(
        self, method: str, chat: str | None, *, kinds: Callable[[FaultKind], bool] = lambda _: True
    ) -> Fault | None:
        """The first rule that hits this request, used up by one; None when the request goes well."""
        for fault in self._faults:
            if not kinds(fault.kind) or not fault.matches(method, chat):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if self._random.random() >= fault.probability:
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
            return fault
        return None

    def shuffled(self, items: list[Any]) -> list[Any]:
        """`items` in another order, by the plan's own dice."""
        mixed = list(items)
        self._random.shuffle(mixed)
        return mixed
