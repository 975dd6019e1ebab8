"""`/export` and `/forgetme`: what is asked for here is carried out by the scheduler, see `privacy_requests`."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select

from parlour.store.ids import new_id
from parlour.store.privacy_models import PrivacyRequest
from parlour.turns.command import Command, Context, Order
from parlour.turns.wording import say

EXPORT: Final = "export"
ERASE: Final = "erase"
ASKED: Final = "asked"
CONFIRMED: Final = "confirmed"

_YES: Final = frozenset({"yes", "是", "确认"})
# The second word is waited for so long.
_SECOND_STEP: Final = timedelta(minutes=10)


def _export(context: Context, _: str) -> Order:
    if not context.conversation.is_private:
        return Order(say("only_private", context.language))
    _note(context, EXPORT, CONFIRMED)
    return Order(say("export_coming", context.language))


def _forgetme(context: Context, argument: str) -> Order:
    if not context.conversation.is_private:
        return Order(say("only_private", context.language))
    if argument.lower() not in _YES:
        _note(context, ERASE, ASKED)
        return Order(say("forgetme_ask", context.language))
    asked = context.session.scalars(
        select(PrivacyRequest).where(PrivacyRequest.user_id == context.person.user_id, PrivacyRequest.kind == ERASE)
    ).one_or_none()
    if asked is None or context.now - asked.created_at > _SECOND_STEP:
        _note(context, ERASE, ASKED)
        return Order(say("forgetme_ask", context.language))
    _note(context, ERASE, CONFIRMED)
    return Order(say("forgetme_last_word", context.language))


def _note(context: Context, kind: str, state: str) -> None:
    """Keep the request, one of a kind for each person; in the transaction of the event that made it."""
    of_them = PrivacyRequest.user_id == context.person.user_id, PrivacyRequest.kind == kind
    context.session.execute(delete(PrivacyRequest).where(*of_them))
    context.session.add(
        PrivacyRequest(
            id=new_id(),
            user_id=context.person.user_id,
            turn_id=context.turn.id,
            kind=kind,
            state=state,
            created_at=context.now,
            due_at=context.now,
        )
    )


ALL: Final = (
    Command(
        "export", "get everything that is stored about you as a file", "以文件形式获取保存的关于您的全部内容", _export
    ),
    Command("forgetme", "delete everything about you (asks once more)", "删除关于您的一切（会再确认一次）", _forgetme),
)
