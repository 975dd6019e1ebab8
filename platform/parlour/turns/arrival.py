"""An event that has come, before it is decided what becomes of it; and which of several may be taken in together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from parlour.people.admit import Known, Person
from parlour.store.ids import AccountId, TurnId
from parlour.store.prepared import Asked
from parlour.turns.conversations import Entrance
from parlour.turns.entry import Bot
from parlour.turns.gate import RateGate
from parlour.turns.ports import Address, Incoming, Live, Taken


@dataclass(slots=True)
class Admitted:
    """Someone who may say this, at the entrance of the conversation."""

    incoming: Incoming
    text: str
    account: Bot
    person: Person
    entrance: Entrance


@dataclass(slots=True)
class Arrival:
    """One event, and what became of it."""

    incoming: Incoming
    text: str
    # What the database is asked about it, ahead of all decisions.
    account: Asked[Bot] | None = None
    who: Asked[Known] | None = None
    # What is published after the commit.
    live: list[Live] = field(default_factory=list)
    taken: Taken | None = None
    published: TurnId | None = None
    _told: dict[RateGate, bool] = field(default_factory=dict)

    def is_let_through(self, gate: RateGate, who: UUID) -> bool:
        """What the gate says. It is asked once: a second try to take the event in is no second message."""
        if gate not in self._told:
            self._told[gate] = gate.admits(who)
        return self._told[gate]

    def begin_anew(self) -> None:
        """Forget what a transaction that was rolled back made of it."""
        self.account = self.who = self.taken = self.published = None
        self.live.clear()


def rounds(arrivals: Iterable[Arrival], *, at_most: int) -> list[list[Arrival]]:
    """The arrivals, in order, by transactions: in none of them two of one conversation, which count on one another."""
    parted: list[list[Arrival]] = []
    last_round: dict[tuple[AccountId, str, str | None], int] = {}
    for arrival in arrivals:
        address: Address = arrival.incoming.address
        where = (arrival.incoming.account_id, address.chat, address.thread)
        number = last_round.get(where, -1) + 1
        while number < len(parted) and len(parted[number]) >= at_most:
            number += 1
        if number == len(parted):
            parted.append([])
        parted[number].append(arrival)
        last_round[where] = number
    return parted


def verdicts(arrivals: Sequence[Arrival]) -> list[Taken]:
    """What became of each."""
    return [arrival.taken for arrival in arrivals if arrival.taken is not None]
