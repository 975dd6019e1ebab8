"""Carrying out what people asked for in the chat: their export as a file, and being forgotten."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import delete, select, update

from parlour.privacy.erasure import AlreadyErased, Eraser, LastOwnerStays
from parlour.privacy.errors import PrivacyError
from parlour.privacy.export import export_person
from parlour.privacy.holds import UnderHold
from parlour.privacy.persons import SubjectUnknown
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import ConversationId, UserId
from parlour.store.models import Conversation, Delivery, Turn
from parlour.store.privacy_models import PrivacyRequest
from parlour.turns.announce import Announcement, announce
from parlour.turns.outbox import Outbox
from parlour.turns.privacy_commands import CONFIRMED, ERASE
from parlour.turns.sending import FileSender
from parlour.turns.states import Author, is_open_delivery
from parlour.turns.wording import say

log = structlog.get_logger(__name__)

_BATCH: Final = 20
_ATTEMPTS: Final = 5
_AGAIN: Final = timedelta(seconds=30)
# The last word to somebody is waited for so long; what is not delivered by then is deleted with the rest.
_LAST_WORD: Final = timedelta(seconds=60)


class PrivacyRequests:
    """What the scheduler does about requests. Any number of schedulers may: each step can be taken twice."""

    def __init__(
        self, *, database: Database, privacy: Privacy, eraser: Eraser, outbox: Outbox, files: FileSender
    ) -> None:
        self._database = database
        self._privacy = privacy
        self._eraser = eraser
        self._outbox = outbox
        self._files = files

    def carry_out(self) -> int:
        """Do what is due and return how much was done."""
        now = self._database.clock.now()
        with self._database.read() as session:
            due = session.scalars(
                select(PrivacyRequest)
                .where(PrivacyRequest.due_at <= now, PrivacyRequest.state == CONFIRMED)
                .order_by(PrivacyRequest.due_at)
                .limit(_BATCH)
            ).all()
        return sum(self._try(request) for request in due)

    def _try(self, request: PrivacyRequest) -> bool:
        try:
            return self._erase(request) if request.kind == ERASE else self._export(request)
        except Exception as error:  # noqa: BLE001 (one that goes wrong must not hold up the others)
            log.warning("privacy_request_failed", request_id=str(request.id), reason=type(error).__name__)
            self._later(request)
            return False

    def _export(self, request: PrivacyRequest) -> bool:
        language, conversation_id = self._asked_in(request)
        made = export_person(self._database, self._privacy, request.user_id, actor=f"user:{request.user_id}")
        self._files.send_file(
            UserId(request.user_id),
            "export.zip",
            made.content,
            say("export_here", language),
            conversation_id=conversation_id,
            media_type="application/zip",
            once=str(request.id),
        )
        self._done(request.id)
        return True

    def _erase(self, request: PrivacyRequest) -> bool:
        if self._last_word_is_out(request):
            try:
                self._eraser.erase(request.user_id, actor=f"user:{request.user_id}", reason="asked for it in the chat")
            except (UnderHold, LastOwnerStays) as error:
                key = "forgetme_held" if isinstance(error, UnderHold) else "forgetme_owner"
                self._say(request, key)
                self._done(request.id)
            except (AlreadyErased, SubjectUnknown):
                self._done(request.id)
            return True
        return False

    def _last_word_is_out(self, request: PrivacyRequest) -> bool:
        if self._database.clock.now() - request.created_at > _LAST_WORD:
            return True
        with self._database.read() as session:
            waits = select(Delivery.id).where(Delivery.turn_id == request.turn_id, is_open_delivery(Delivery.state))
            return session.scalars(waits.limit(1)).first() is None

    def _say(self, request: PrivacyRequest, key: str) -> None:
        language, conversation_id = self._asked_in(request)
        what = Announcement(say(key, language), f"privacy:{request.id}", author=Author.NOTICE)
        with self._database.begin() as session:
            announce(
                session,
                self._outbox,
                conversation_id,
                UserId(request.user_id),
                what,
                now=self._database.clock.now(),
            )

    def _asked_in(self, request: PrivacyRequest) -> tuple[str | None, ConversationId]:
        with self._database.read() as session:
            language, conversation_id = session.execute(
                select(Turn.language, Conversation.id)
                .join(Conversation, Conversation.id == Turn.conversation_id)
                .where(Turn.id == request.turn_id)
            ).one()
        return language, ConversationId(conversation_id)

    def _done(self, request_id: UUID) -> None:
        with self._database.begin() as session:
            session.execute(delete(PrivacyRequest).where(PrivacyRequest.id == request_id))

    def _later(self, request: PrivacyRequest) -> None:
        """Try again in a while, five times for an export; being forgotten is never given up."""
        is_last = request.kind != ERASE and request.attempts + 1 >= _ATTEMPTS
        try:
            if is_last:
                self._say(request, "export_failed")
                self._done(request.id)
                return
            with self._database.begin() as session:
                session.execute(
                    update(PrivacyRequest)
                    .where(PrivacyRequest.id == request.id)
                    .values(attempts=PrivacyRequest.attempts + 1, due_at=self._database.clock.now() + _AGAIN)
                )
        except PrivacyError as error:
            log.warning("privacy_request_untold", request_id=str(request.id), reason=type(error).__name__)
