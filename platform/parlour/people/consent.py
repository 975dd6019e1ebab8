"""Consent to being remembered: asked once, in the person's language, its words and version kept."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from parlour.people.states import ConsentState
from parlour.privacy.withdrawing import withdraw
from parlour.store.changes import changed_rows
from parlour.store.ids import UserId, new_id
from parlour.store.models import User
from parlour.store.people_models import Consent, ProfileEntry

# Moves on whenever the meaning of the words below changes.
VERSION: Final = "2026-11"
TEXTS: Final = {
    "en": (
        "May I remember things about you for later conversations: how you like to be answered, and facts that you tell "
        "me? They are encrypted under a key of your own, used only to answer you, and you can see and delete each of "
        "them with /memory. Please send /privacy yes or /privacy no. Without your yes I remember nothing past this "
        "conversation. You can change your mind at any time; /privacy no also deletes what I remembered."
    ),
    "zh": (
        "我可以为以后的对话记住关于您的内容吗？例如您喜欢怎样的回答，以及您告诉我的事实。这些内容用您专属的密钥加密，只用来回答您，"
        "您可以用 /memory 查看并逐条删除。请发送 /privacy yes（同意）或 /privacy no（不同意）。没有您的同意，"
        "我不会记住这次对话以外的任何内容。您可以随时改变主意；/privacy no 还会删除我已经记住的内容。"
    ),
}


def text_in(language: str) -> tuple[str, str]:
    """The question in `language`, in English where it has no translation, and the language that it is in."""
    primary = language.split("-", maxsplit=1)[0].lower()
    known = primary if primary in TEXTS else "en"
    return TEXTS[known], known


def ask(session: Session, user_id: UserId, *, language: str, now: datetime) -> str | None:
    """The question to put to this person; None for someone who was asked before, by whichever process."""
    if not _mark_asked(session, user_id):
        return None
    return _asked(session, user_id, language, now)


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a decision: how many entries it deleted, or the question that it has to answer first."""

    forgotten: int = 0
    question: str | None = None


def decide(session: Session, user_id: UserId, *, is_given: bool, language: str, now: datetime) -> Decided:
    """Keep what the person said, beside the very words that they were asked in. A no deletes all that was remembered.

    A yes to words that they never saw, or that have changed since, agrees to nothing: they are asked, and it changes
    nothing yet. A no needs no question.
    """
    seen = _newest_question(session, user_id)
    if is_given and (seen is None or seen.version != VERSION):
        _mark_asked(session, user_id)
        return Decided(question=_asked(session, user_id, language, now))
    decision = ConsentState.GIVEN if is_given else ConsentState.REFUSED
    session.execute(update(User).where(User.id == user_id).values(consent=decision.value))
    words = (seen.version, seen.language, seen.text) if seen is not None else ("", text_in(language)[1], "")
    _note(session, user_id, decision, words, now)
    return Decided() if is_given else Decided(forgotten=withdraw(session, ProfileEntry, user_id))


def is_given(session: Session, user_id: UserId) -> bool:
    """Whether this person may be remembered now. Whoever is about to write asks `hold`."""
    return session.scalar(select(User.consent).where(User.id == user_id)) == ConsentState.GIVEN.value


def hold(session: Session, user_id: UserId) -> bool:
    """As `is_given`, and it stays so until the caller's transaction ends: a no that comes meanwhile waits for it."""
    wanted = select(User.consent).where(User.id == user_id).with_for_update(key_share=True)
    return session.scalar(wanted) == ConsentState.GIVEN.value


@dataclass(frozen=True, slots=True)
class ConsentStep:
    """One step of a person's consent, and the words that it is about; a no of somebody unasked has no version."""

    decision: ConsentState
    version: str
    language: str
    at: datetime


def history(session: Session, user_id: UserId) -> tuple[ConsentStep, ...]:
    """All steps, oldest first."""
    wanted = select(Consent).where(Consent.user_id == user_id).order_by(Consent.created_at, Consent.id)
    steps = session.scalars(wanted)
    return tuple(ConsentStep(ConsentState(one.decision), one.version, one.language, one.created_at) for one in steps)


def _mark_asked(session: Session, user_id: UserId) -> bool:
    """Note that this person was asked, where nothing is known of their consent yet; whether that was so."""
    first = update(User).where(User.id == user_id, User.consent.is_(None)).values(consent=ConsentState.ASKED.value)
    return changed_rows(session, first) > 0


def _newest_question(session: Session, user_id: UserId) -> Consent | None:
    asked = (Consent.user_id == user_id, Consent.decision == ConsentState.ASKED.value)
    return session.scalars(select(Consent).where(*asked).order_by(Consent.created_at.desc(), Consent.id.desc())).first()


def _asked(session: Session, user_id: UserId, language: str, now: datetime) -> str:
    text, known = text_in(language)
    _note(session, user_id, ConsentState.ASKED, (VERSION, known, text), now)
    return text


def _note(
    session: Session, user_id: UserId, decision: ConsentState, words: tuple[str, str, str], now: datetime
) -> None:
    version, language, text = words
    step = Consent(id=new_id(), user_id=user_id, decision=decision.value, created_at=now)
    step.version, step.language, step.text = version, language, text
    session.add(step)
