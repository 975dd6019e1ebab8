"""A conversation without a running `parlour up`: all of Parlour in this process, or its part before a shared broker."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager

import anyio

from parlour.bootstrap import Platform, platform
from parlour.channels.mailbox import Mailbox
from parlour.channels.talk import OwnTalk, Talk, folder_id, person, register
from parlour.cli.up import fetch_model
from parlour.processes.everything import data_folder, house
from parlour.settings import Settings


@contextmanager
def own_talk(settings: Settings, user: str) -> Iterator[AbstractAsyncContextManager[Talk]]:
    """A conversation, to be entered in an event loop, and everything it needs: with a broker inside the process a
    worker and its engine too, with a shared one its workers answer.
    """
    with ExitStack() as stack:
        if settings.is_embedded:
            stack.enter_context(data_folder(settings))
            fetch_model(settings)
            parts = stack.enter_context(house(settings)).platform
        else:
            parts = stack.enter_context(platform(settings))
        yield _opened(parts, user)


@asynccontextmanager
async def _opened(parts: Platform, user: str) -> AsyncIterator[Talk]:
    account_id = await anyio.to_thread.run_sync(register, parts.accounts)
    who = person(account_id, user, folder_id(parts.settings.data_dir))
    mailbox = Mailbox(account_id, parts.history, parts.bus, parts.sealer)
    async with anyio.create_task_group() as group:
        group.start_soon(mailbox.run)
        yield OwnTalk(mailbox, parts.intake, parts.clock, who)
        group.cancel_scope.cancel()
