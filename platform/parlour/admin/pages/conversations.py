"""Conversations: ids, states and times. What was said only by break-glass."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Posted, posted
from parlour.admin.frame import page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import (
    PAGE_ROWS,
    all_of,
    csv_file,
    cut,
    day_of,
    uuid_or_none,
    wrong_days,
)
from parlour.admin.named import Named, named
from parlour.admin.rights import Right
from parlour.privacy.audit import LONGEST_REASON
from parlour.store.places import Place, number_or_none
from parlour.turns import conversation_list
from parlour.turns.break_glass import SHORTEST_REASON, ReasonMissing, Spot, break_glass
from parlour.turns.conversation_list import ConversationFilter, ConversationLine, NoSuchConversation
from parlour.turns.messenger_health import list_messengers

router = APIRouter()

_HEADER = ("id", "channel", "account", "user", "private", "turns", "skill", "since", "last")
_FILTERS: Final = ("account", "user", "kind", "since", "until")
_PATH: Final = "/admin/conversations/{conversation_id}"
Seer = Annotated[Operator, needs(Right.SEE_CONVERSATIONS)]


@router.get("/admin/conversations")
def show_conversations(request: Request, operator: Seer, after: str = "") -> Response:
    """Conversations, the newest first, a page at a time."""
    return _listed(request, operator, _typed(request), Place.of(after))


@router.get("/admin/conversations.csv")
def conversations_csv(request: Request, operator: Seer) -> Response:
    """The same as CSV, all of them."""
    typed = _typed(request)
    who = named(request, operator, typed["user"])
    if _problems(typed, who):
        return _listed(request, operator, typed, None)

    def read(last: ConversationLine | None, limit: int) -> Sequence[ConversationLine]:
        return _found(request, operator, typed, who, last.place if last else None, limit)

    return csv_file("conversations", _HEADER, map(_row, all_of(read)))


@router.get(_PATH)
def show_conversation(request: Request, operator: Seer, conversation_id: UUID, before: str = "") -> Response:
    """One conversation and its turns, without what was said."""
    return _shown(request, operator, conversation_id, before=before)


@router.post(f"{_PATH}/open")
def open_conversation(
    request: Request, conversation_id: UUID, form: Annotated[Posted, posted(Right.OPEN_CONTENT)]
) -> Response:
    """What was said, in this answer alone: no browser keeps it, and asking again is logged again."""
    platform, operator = platform_of(request), form.operator
    try:
        said = break_glass(
            platform.database,
            operator.workspace_id,
            conversation_id,
            reason=form["reason"],
            by=operator.doer(platform.privacy),
            before=Spot.of(form["before"]),
        )
    except ReasonMissing:
        return _shown(request, operator, conversation_id, problem="glass_reason", typed=form["reason"])
    except NoSuchConversation:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    return page(
        request,
        operator,
        "conversation_opened.html",
        said=said,
        conversation_id=conversation_id,
        reason=form["reason"],
    )


def _typed(request: Request) -> dict[str, str]:
    return {name: request.query_params.get(name, "").strip() for name in _FILTERS}


def _listed(request: Request, operator: Operator, typed: dict[str, str], behind: Place | None) -> Response:
    who = named(request, operator, typed["user"])
    problems = _problems(typed, who)
    found = [] if problems else _found(request, operator, typed, who, behind, PAGE_ROWS + 1)
    return page(
        request,
        operator,
        "conversations.html",
        conversations=cut(found, "key", typed),
        accounts=list_messengers(platform_of(request).database, operator.workspace_id),
        typed=typed,
        problems=problems,
    )


def _shown(
    request: Request,
    operator: Operator,
    conversation_id: UUID,
    *,
    before: str = "",
    problem: str = "",
    typed: str = "",
) -> Response:
    database, workspace_id = platform_of(request).database, operator.workspace_id
    below = number_or_none(before)
    try:
        line = conversation_list.show_conversation(database, workspace_id, conversation_id)
        turns = conversation_list.turns_of(database, workspace_id, conversation_id, before=below, limit=PAGE_ROWS + 1)
    except NoSuchConversation:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    return page(
        request,
        operator,
        "conversation.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
        conversation=line,
        turns=turns[:PAGE_ROWS],
        older=turns[PAGE_ROWS - 1].seq if len(turns) > PAGE_ROWS else None,
        problem=problem,
        typed=typed,
        shortest=SHORTEST_REASON,
        longest=LONGEST_REASON,
        may_open=operator.may(Right.OPEN_CONTENT),
    )


def _problems(typed: dict[str, str], who: Named) -> dict[str, str]:
    """Keys of texts by the field that is wrong."""
    wrong = {"user": who.problem} if who.problem else {}
    if typed["account"] and uuid_or_none(typed["account"]) is None:
        wrong["account"] = "list_id_wrong"
    return wrong | wrong_days(typed)


def _found(
    request: Request, operator: Operator, typed: dict[str, str], who: Named, behind: Place | None, limit: int
) -> list[ConversationLine]:
    wanted = ConversationFilter(
        account_id=uuid_or_none(typed["account"]),
        # Conversations go along when somebody links their messengers: all are those of who they are now.
        user_id=who.ids[0] if who.ids else None,
        is_private={"private": True, "group": False}.get(typed["kind"]),
        since=day_of(typed["since"]),
        until=day_of(typed["until"]),
    )
    database = platform_of(request).database
    return conversation_list.list_conversations(database, operator.workspace_id, wanted, behind=behind, limit=limit)


def _row(one: ConversationLine) -> tuple[object, ...]:
    return (
        one.id,
        one.channel,
        one.account,
        one.user_id,
        one.is_private,
        one.turns,
        one.skill,
        one.created_at,
        one.last_at,
    )
