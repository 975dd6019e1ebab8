"""One person's conversation as a terminal needs it, and how it is had in this process."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from parlour.channels.mailbox import Event, Mailbox
from parlour.channels.typed import Person
from parlour.store.clock import Clock
from parlour.store.ids import AccountId, AttachmentId, MessageId
from parlour.turns.ports import Incoming, Intake, Taken
from parlour.turns.said import FileView, Said

TERMINAL: Final = "terminal"


class RegistersAccounts(Protocol):
    """Where the account of all terminals is registered; `parlour.channels.protocol.Accounts` is one."""

    def register(self, channel: str, external_id: str, name: str, *, credentials: str | None = None) -> AccountId:
        """The account's id, made on first sight."""
        ...


class Talk(Protocol):
    """One person's conversation, as a terminal needs it."""

    async def say(self, text: str, *, client_id: str) -> Taken:
        """Hand a message in; the same `client_id` again makes no second turn. Raises `StoreError`, `TalkBroken`."""
        ...

    async def stop(self) -> None:
        """Stop the running answer. Raises as `say`."""
        ...

    async def recent(self, *, limit: int) -> list[Said]:
        """The newest messages, oldest first. Raises as `say`."""
        ...

    async def file(self, file_id: AttachmentId) -> FileView | None:
        """A file of an answer, None where there is none. Raises as `say`."""
        ...

    def follow(self) -> AsyncIterator[Event]:
        """What is said from now on, drafts in between."""
        ...


class TalkBroken(Exception):
    """The `parlour up` that was talked to does not answer as it should."""


class OwnTalk:
    """A conversation in this process."""

    def __init__(self, mailbox: Mailbox, intake: Intake, clock: Clock, person: Person) -> None:
        self._mailbox, self._intake, self._clock, self._person = mailbox, intake, clock, person

    async def say(self, text: str, *, client_id: str) -> Taken:
        """Hand a message in."""
        return await self._take_in(self._person.wrote(text, client_id=client_id, at=self._clock.now()))

    async def stop(self) -> None:
        """Stop the running answer."""
        await self._take_in(self._person.stopped(None, client_id=uuid4().hex, at=self._clock.now()))

    async def recent(self, *, limit: int) -> list[Said]:
        """The newest messages, oldest first."""
        said, _ = await self._mailbox.recent(self._person.address, limit=limit)
        return said

    async def file(self, file_id: AttachmentId) -> FileView | None:
        """A file of an answer."""
        return await self._mailbox.file(self._person.address, file_id)

    async def follow(self, after: MessageId | None = None) -> AsyncIterator[Event]:
        """What is said from now on."""
        async for event in self._mailbox.follow(self._person.address, after=after):
            yield event

    async def _take_in(self, incoming: Incoming) -> Taken:
        taken = await asyncio.to_thread(self._intake.receive, incoming)
        self._mailbox.wake(incoming.address)
        return taken


def register(accounts: RegistersAccounts) -> AccountId:
    """The account of all terminals."""
    return accounts.register(TERMINAL, TERMINAL, "Terminal")


def person(account_id: AccountId, user: str, folder: str, *, language: str | None = None) -> Person:
    """Who sits at the terminal: the user of the operating system, on the machine that has this data folder."""
    return Person(account_id, f"{user}@{folder}", user, language)


def folder_id(data_dir: Path) -> str:
    """The data folder's own id, made on first sight: it parts people of the same name on two machines."""
    path = data_dir / "terminal.id"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(8))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii").strip()
