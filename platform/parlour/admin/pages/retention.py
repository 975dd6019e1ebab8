"""How long data is kept: rules as a matrix of data class by place, what each would delete, set, clear, run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.errands import Errands, coming_again
from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.rights import Right
from parlour.privacy.classes import DataClass, knows_conversations
from parlour.privacy.persons import SubjectUnknown
from parlour.privacy.preview import Due, preview
from parlour.privacy.purging import purge_now
from parlour.privacy.retention import check_place, clear_rule, read_policy, set_rule
from parlour.privacy.rules import (
    FOREVER,
    MOST_DAYS,
    Policy,
    Rule,
    RuleRefused,
    Scope,
    check_scope,
    checked_class,
    checked_days,
)
from parlour.turns.messenger_health import list_messengers

router = APIRouter()

Seer = Annotated[Operator, needs(Right.SEE_RETENTION)]
Manager = Annotated[Posted, posted(Right.MANAGE_RETENTION)]


@dataclass(frozen=True, slots=True)
class Cell:
    """One class in one place: how many days, and whether a rule of its own says so. `days` None: for ever."""

    data_class: DataClass
    scope: Scope
    days: int | None
    is_own: bool


@router.get("/admin/retention")
def show_retention(request: Request, operator: Seer) -> Response:
    """The matrix, and what the next purge would delete."""
    platform = platform_of(request)
    with platform.database.read() as session:
        policy = read_policy(session, platform.retention.defaults)
    return page(
        request,
        operator,
        "retention.html",
        scopes=_scopes(request, operator),
        rows=[(one, _cells(request, operator, policy, one)) for one in DataClass],
        narrow=_of_conversations(policy, operator),
        may_change=operator.may(Right.MANAGE_RETENTION),
    )


@router.get("/admin/retention/due")
def show_due(request: Request, operator: Seer, data_class: str, scope: str = "workspace") -> Response:
    """How many rows the rule of one cell would delete by now. Counting may take seconds, so it is asked for."""
    known, place = _place(data_class, scope)
    with platform_of(request).database.read() as session:
        policy = read_policy(session, platform_of(request).retention.defaults)
    keep = _keep(policy, operator, known, place)
    try:
        due = [] if keep is None else _due(request, Rule(operator.workspace_id, place, known, keep))
    except SubjectUnknown:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    rows = sum(one.rows for one in due)
    return page(request, operator, "retention_due.html", data_class=known, scope=place.word, due=due, rows=rows)


@router.get("/admin/retention/rule")
def ask_rule(request: Request, operator: Seer, data_class: str, scope: str = "workspace") -> Response:
    """The form for one rule."""
    known, place = _place(data_class, scope)
    return _form(request, operator, known, place)


@router.post("/admin/retention/preview")
def preview_rule(request: Request, form: Manager) -> Response:
    """What the rule would delete, and the button that sets it."""
    known, place, problems = _checked(request, form)
    if problems:
        return _form(request, form.operator, known, place, problems=problems, typed=form.fields)
    rule = _rule(form, known, place)
    due = [] if rule.keep is None else _due(request, rule)
    return page(
        request, form.operator, "retention_confirm.html", data_class=known, scope=place.word, due=due, typed=form.fields
    )


@router.post("/admin/retention/set")
def set_(request: Request, form: Manager) -> Response:
    """Set the rule. Rows get their new dates from the scheduler within minutes."""
    known, place, problems = _checked(request, form)
    if problems:
        return _form(request, form.operator, known, place, problems=problems, typed=form.fields)
    platform = platform_of(request)
    set_rule(
        platform.database, platform.privacy, _rule(form, known, place), actor=form.operator.actor, reason=form.reason
    )
    return go_to("/admin/retention", done="rule_set")


@router.post("/admin/retention/clear")
def clear(request: Request, form: Manager) -> Response:
    """Take a rule away, so that the next wider one counts."""
    platform, operator = platform_of(request), form.operator
    known, place = _place(form["data_class"], form["scope"])
    its = operator.workspace_id
    if not clear_rule(platform.database, platform.privacy, its, place, known, actor=operator.actor, reason=form.reason):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return go_to("/admin/retention", done="rule_cleared")


@router.get("/admin/retention/run")
def ask_run(request: Request, operator: Seer) -> Response:
    """What a purge would delete now, the button for it, and how the last one went."""
    platform = platform_of(request)
    errands: Errands = request.app.state.errands
    due = preview(platform.database, platform.retention, now=platform.clock.now(), workspace_id=operator.workspace_id)
    purging = errands.find(_purging(operator))
    shown = page(
        request,
        operator,
        "retention_run.html",
        due=due,
        purging=purging,
        may_change=operator.may(Right.MANAGE_RETENTION),
    )
    return coming_again(shown, is_running=purging is not None and purging.is_running)


@router.post("/admin/retention/run")
def run(request: Request, form: Manager) -> Response:
    """Delete what is past its time, behind the page."""
    platform, operator = platform_of(request), form.operator
    errands: Errands = request.app.state.errands
    errands.start(
        _purging(operator),
        lambda _: purge_now(
            platform.database,
            platform.privacy,
            platform.retention,
            platform.eraser,
            workspace_id=operator.workspace_id,
            actor=operator.actor,
            reason=form.reason,
        ),
    )
    return go_to("/admin/retention/run")


def _purging(operator: Operator) -> str:
    return f"purging:{operator.workspace_id}"


def _scopes(request: Request, operator: Operator) -> list[Scope]:
    """The columns: the workspace, and each messenger that it has a bot in."""
    bots = list_messengers(platform_of(request).database, operator.workspace_id)
    return [Scope(), *(Scope(channel=one) for one in sorted({bot.channel for bot in bots}))]


def _cells(request: Request, operator: Operator, policy: Policy, data_class: DataClass) -> list[Cell | None]:
    """None where a rule cannot be: data of that class belongs to no messenger."""
    return [
        _cell(policy, operator, data_class, scope) if scope == Scope() or knows_conversations(data_class) else None
        for scope in _scopes(request, operator)
    ]


def _of_conversations(policy: Policy, operator: Operator) -> Sequence[Cell]:
    return [
        _cell(policy, operator, rule.data_class, rule.scope)
        for rule in policy.rules
        if rule.workspace_id == operator.workspace_id and rule.scope.conversation_id is not None
    ]


def _cell(policy: Policy, operator: Operator, data_class: DataClass, scope: Scope) -> Cell:
    keep = _keep(policy, operator, data_class, scope)
    is_own = any(
        (rule.workspace_id, rule.scope, rule.data_class) == (operator.workspace_id, scope, data_class)
        for rule in policy.rules
    )
    return Cell(data_class, scope, None if keep is None else keep.days, is_own)


def _keep(policy: Policy, operator: Operator, data_class: DataClass, scope: Scope) -> timedelta | None:
    return policy.keep(data_class, operator.workspace_id, channel=scope.channel, conversation_id=scope.conversation_id)


def _due(request: Request, rule: Rule) -> list[Due]:
    platform = platform_of(request)
    return preview(platform.database, platform.retention, now=platform.clock.now(), rule=rule)


def _place(data_class: str, scope: str) -> tuple[DataClass, Scope]:
    """What an address names; 404 for a class or place that cannot be."""
    try:
        known, place = checked_class(data_class), Scope.of(scope)
        check_scope(known, place)
    except (RuleRefused, ValueError):
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    return known, place


def _checked(request: Request, form: Posted) -> tuple[DataClass, Scope, dict[str, str]]:
    """What the form names, and keys of texts by the field that is wrong."""
    problems: dict[str, str] = {}
    try:
        known = checked_class(form["data_class"])
    except RuleRefused:
        known, problems["data_class"] = DataClass.MESSAGE, "rule_no_class"
    try:
        place = Scope.of(form["scope"])
        check_scope(known, place)
        with platform_of(request).database.read() as session:
            check_place(session, form.operator.workspace_id, place)
    except (RuleRefused, ValueError):
        place, problems["scope"] = Scope(), "rule_no_scope"
    except SubjectUnknown:
        place, problems["scope"] = Scope(), "rule_no_place"
    try:
        checked_days(form["days"].strip())
    except RuleRefused:
        problems["days"] = "rule_no_days"
    return known, place, problems


def _rule(form: Posted, data_class: DataClass, scope: Scope) -> Rule:
    days = checked_days(form["days"].strip())
    return Rule(form.operator.workspace_id, scope, data_class, None if days is None else timedelta(days=days))


def _form(
    request: Request,
    operator: Operator,
    data_class: DataClass,
    scope: Scope,
    *,
    problems: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    platform = platform_of(request)
    with platform.database.read() as session:
        policy = read_policy(session, platform.retention.defaults)
    cell = _cell(policy, operator, data_class, scope)
    return page(
        request,
        operator,
        "retention_rule.html",
        cell=cell,
        scope=scope.word,
        classes=list(DataClass),
        typed=typed or {"days": FOREVER if cell.days is None else str(cell.days), "data_class": str(data_class)},
        problems=problems or {},
        most=MOST_DAYS,
        forever=FOREVER,
        may_change=operator.may(Right.MANAGE_RETENTION),
    )
