"""The audit log: who did what, with whom, when and why; and whether it is whole."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.errands import Errands, coming_again
from parlour.admin.forms import posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import PAGE_ROWS, all_of, csv_file, cut, day_of, wrong_days
from parlour.admin.rights import Right
from parlour.bootstrap import Platform
from parlour.people.finding import named_in_audit
from parlour.privacy import audit
from parlour.privacy.audit import AuditView, Verdict
from parlour.privacy.audit_list import AuditFilter, list_audit
from parlour.store.places import number_or_none

router = APIRouter()

_HEADER = ("number", "at", "actor", "action", "subject", "reason")
_VERIFYING: Final = "verifying"
Reader = Annotated[Operator, needs(Right.READ_AUDIT)]
FILTERS: Final = ("actor", "action", "subject", "since", "until")


@router.get("/admin/audit")
def show_audit(request: Request, operator: Reader, after: str = "") -> Response:
    """Entries, newest first, a page at a time, by actor, action, subject and time."""
    return _shown(request, operator, _typed(request), before=number_or_none(after))


@router.get("/admin/audit.csv")
def audit_csv(request: Request, operator: Reader) -> Response:
    """The same as CSV, all of them."""
    platform, typed = platform_of(request), _typed(request)
    if wrong_days(typed):
        return _shown(request, operator, typed)
    its, wanted = operator.workspace_id, _filter(platform, operator, typed)

    def read(last: AuditView | None, limit: int) -> Sequence[AuditView]:
        before = last.seq if last else None
        return list_audit(platform.database, platform.privacy, its, wanted, before=before, limit=limit)

    return csv_file("audit", _HEADER, map(_row, all_of(read)))


@router.post("/admin/audit/verify", dependencies=[posted(Right.READ_AUDIT)])
def verify(request: Request) -> Response:
    """Look through the whole chain behind the page, which then names what was found."""
    platform = platform_of(request)
    errands: Errands = request.app.state.errands
    errands.start(_VERIFYING, lambda _: _verified(platform))
    return go_to("/admin/audit")


def _typed(request: Request) -> dict[str, str]:
    return {name: request.query_params.get(name, "").strip() for name in FILTERS}


def _shown(request: Request, operator: Operator, typed: dict[str, str], *, before: int | None = None) -> Response:
    platform, problems = platform_of(request), wrong_days(typed)
    found = (
        []
        if problems
        else list_audit(
            platform.database,
            platform.privacy,
            operator.workspace_id,
            _filter(platform, operator, typed),
            before=before,
            limit=PAGE_ROWS + 1,
        )
    )
    errands: Errands = request.app.state.errands
    verifying = errands.find(_VERIFYING)
    shown = page(
        request,
        operator,
        "audit.html",
        entries=cut(found, "seq", typed),
        typed=typed,
        problems=problems,
        verifying=verifying,
    )
    return coming_again(shown, is_running=verifying is not None and verifying.is_running)


def _verified(platform: Platform) -> Verdict:
    verdict = audit.verify(platform.database, platform.privacy)
    if not verdict.findings:
        audit.anchor(platform.database, platform.privacy)
    return verdict


def _filter(platform: Platform, operator: Operator, typed: dict[str, str]) -> AuditFilter:
    def names(word: str) -> tuple[str, ...]:
        return named_in_audit(platform.database, platform.privacy, word, workspace_id=operator.workspace_id)

    return AuditFilter(
        actors=names(typed["actor"]) if typed["actor"] else None,
        action=typed["action"] or None,
        subjects=names(typed["subject"]) if typed["subject"] else None,
        since=day_of(typed["since"]),
        until=day_of(typed["until"]),
    )


def _row(one: AuditView) -> tuple[object, ...]:
    return one.seq, one.at.isoformat(), one.actor, one.action, one.subject, one.reason
