"""Fetching the files people sent, after their message is safe: sealed into SQL, within the size limit."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, literal_column, select, update

from parlour.privacy.errors import KeysUnavailable, PrivacyError
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.errors import StoreError
from parlour.store.ids import AccountId, UserId
from parlour.store.models import Attachment
from parlour.turns.ports import CredentialsRejected, Messenger, NotSent, OutcomeUnknown, Rejected, Throttled

log = structlog.get_logger(__name__)

_POLL_S = 2.0
_ATTEMPTS = 5
_BATCH = 10
# A literal, so that the partial index over waiting files serves.
_WAITING: ColumnElement[str] = literal_column("'waiting'")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that is known by its reference only."""

    id: UUID
    user_id: UserId
    reference: str
    attempts: int


class AttachmentStore:
    """The rows of `attachments`. Synchronous."""

    def __init__(self, *, database: Database, privacy: Privacy) -> None:
        self._database = database
        self._sealer = privacy.sealer

    def wanted(self, account_id: AccountId) -> list[Wanted]:
        """Files of the account that are still to be fetched."""
        with self._database.read() as session:
            rows = session.execute(
                select(Attachment.id, Attachment.user_id, Attachment.reference, Attachment.attempts)
                .where(Attachment.account_id == account_id, Attachment.state == _WAITING)
                .limit(_BATCH)
            ).all()
        return [wanted for row in rows if (wanted := self._open(*row))]

    def _open(self, row_id: UUID, user_id: UUID, reference: bytes, attempts: int) -> Wanted | None:
        """The file, or None for one that must be left: what cannot be opened must not hold up the others.

        Raises `KeysUnavailable`: every file waits then.
        """
        owner = UserId(user_id)
        try:
            opened = self._sealer.open_text(owner, Attachment.reference, row_id, reference)
        except KeysUnavailable:
            raise
        except PrivacyError as error:
            log.warning("attachment_unreadable", attachment_id=str(row_id), reason=type(error).__name__)
            self._update(row_id, state="failed")
            return None
        return Wanted(row_id, owner, opened, attempts)

    def keep(self, wanted: Wanted, content: bytes) -> None:
        """Seal and store the file's bytes."""
        sealed = self._sealer.seal(wanted.user_id, Attachment.content, wanted.id, content)
        self._update(wanted.id, state="stored", content=sealed, size=len(content))

    def give_up(self, wanted: Wanted, state: str) -> None:
        """Note that the file will not be had: `too_large` or `failed`."""
        self._update(wanted.id, state=state)

    def try_later(self, wanted: Wanted) -> None:
        """Count a try that failed; the fifth is the last."""
        attempts = wanted.attempts + 1
        self._update(wanted.id, attempts=attempts, state="failed" if attempts >= _ATTEMPTS else "waiting")

    def _update(self, row_id: UUID, **values: object) -> None:
        with self._database.begin() as session:
            session.execute(update(Attachment).where(Attachment.id == row_id).values(**values))


class Fetcher:
    """Fetches one account's files, one after another, for as long as the gateway runs."""

    def __init__(self, *, messenger: Messenger, store: AttachmentStore, max_bytes: int) -> None:
        self._messenger = messenger
        self._store = store
        self._max_bytes = max_bytes

    async def run(self) -> None:
        """Fetch until cancelled."""
        while True:
            try:
                for wanted in await asyncio.to_thread(self._store.wanted, self._messenger.account_id):
                    await self._fetch(wanted)
            except (StoreError, PrivacyError) as error:
                log.warning("attachments_not_fetched", reason=type(error).__name__)
            await asyncio.sleep(_POLL_S)

    async def _fetch(self, wanted: Wanted) -> None:
        try:
            content = await self._messenger.fetch(wanted.reference, limit_bytes=self._max_bytes)
        except Rejected as error:
            state = "too_large" if error.code == "too_large" else "failed"
            await asyncio.to_thread(self._store.give_up, wanted, state)
        except (Throttled, NotSent, OutcomeUnknown, CredentialsRejected) as error:
            log.info("attachment_not_fetched", attachment_id=str(wanted.id), reason=type(error).__name__)
            await asyncio.to_thread(self._store.try_later, wanted)
        except Exception:  # a fetch begins here: one file that breaks must not stop the others
            log.exception("attachment_broke", attachment_id=str(wanted.id))
            await asyncio.to_thread(self._store.try_later, wanted)
        else:
            await asyncio.to_thread(self._store.keep, wanted, content)
