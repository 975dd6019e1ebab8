"""What a person typed into a box of our own, web page or terminal, as an event for intake."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from parlour.store.ids import AccountId, TurnId
from parlour.turns.ports import Address, Incoming, IncomingAttachment, IncomingKind, Sender

# `/help`, `/language zh`; not `/usr/bin` and not `/ hello`.
_COMMAND = re.compile(r"\s*/([a-z][a-z_]*)(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)
# Chosen by the browser or the terminal, so that sending twice makes one turn.
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True)
class Person:
    """One person at one account of ours: a browser by its session, a terminal by its user and folder."""

    account_id: AccountId
    external_id: str
    name: str
    language: str | None = None

    @property
    def address(self) -> Address:
        """The person's one conversation."""
        return Address(chat=self.external_id)

    def wrote(
        self, text: str, *, client_id: str, at: datetime, attachments: Sequence[IncomingAttachment] = ()
    ) -> Incoming:
        """A message, or a command where the text is one."""
        command = _COMMAND.fullmatch(text)
        if command:
            name, argument = command.groups()
            return self._event(IncomingKind.COMMAND, client_id, at, f"{name.lower()} {argument or ''}".strip())
        return self._event(IncomingKind.MESSAGE, client_id, at, text, attachments=tuple(attachments))

    def stopped(self, turn_id: TurnId | None, *, client_id: str, at: datetime) -> Incoming:
        """The wish that an answer stops: of that turn, or whichever runs."""
        return self._event(IncomingKind.STOP, client_id, at, str(turn_id) if turn_id else "")

    def rated(self, turn_id: TurnId, *, is_positive: bool, client_id: str, at: datetime) -> Incoming:
        """A thumb up or down under the answer of a turn. Here a turn's id is its answer's message key."""
        text = "up" if is_positive else "down"
        return self._event(IncomingKind.FEEDBACK, client_id, at, text, message_key=str(turn_id))

    def _event(
        self,
        kind: IncomingKind,
        client_id: str,
        at: datetime,
        text: str,
        *,
        message_key: str | None = None,
        attachments: tuple[IncomingAttachment, ...] = (),
    ) -> Incoming:
        return Incoming(
            account_id=self.account_id,
            # The person's id in front: nobody can take another's event ids.
            event_id=f"{self.external_id[:40]}:{kind.value}:{client_id}",
            kind=kind,
            address=self.address,
            sender=Sender(self.external_id, self.name, self.language),
            text=text,
            message_key=message_key,
            sent_at=at,
            attachments=attachments,
        )
