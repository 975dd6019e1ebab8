"""One skill: what it is and may do, where it is enabled, how it is set, its next version, its end."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, platform_of
from parlour.admin.pages.skills import (
    File,
    Form,
    Seer,
    book_of,
    figures_of,
    found_or_404,
    granted_in,
    jobs_of,
    offer_page,
)
from parlour.admin.rights import Right
from parlour.admin.uploads import counter_of
from parlour.privacy.holds import UnderHold
from parlour.sdk.capabilities import MEANINGS
from parlour.skills.errors import NoSuchSkill, SkillError
from parlour.skills.figures import SkillFigures
from parlour.skills.service import SkillBook
from parlour.skills.setting_form import Typed, fields_of, read
from parlour.skills.views import SkillView, secret_names
from parlour.store.ids import ConversationId

router = APIRouter()

CHANNELS = ("slack", "telegram", "web", "terminal")


@router.get("/admin/skills/{name}")
def show_skill(request: Request, operator: Seer, name: str) -> Response:
    """The skill."""
    book = book_of(request, operator)
    return _shown(request, operator, book, found_or_404(book, name))


@router.post("/admin/skills/{name}/enable")
def enable(request: Request, name: str, form: Form) -> Response:
    """Let it be called or not: everywhere, in a channel, or in a conversation."""
    book = book_of(request, form.operator)
    skill = found_or_404(book, name)
    try:
        channel, conversation_id = _where(form)
        is_enabled = form["is_enabled"] == "yes"
        book.enable(name, is_enabled=is_enabled, channel=channel, conversation_id=conversation_id)
    except (SkillError, ValueError):
        # An unknown conversation, another workspace's and a mistyped id are one and the same here.
        return _shown(request, form.operator, book, skill, problem=("skill_problem_NoSuchConversation", ""))
    return go_to(f"/admin/skills/{name}", done="skill_enabled" if is_enabled else "skill_disabled")


@router.post("/admin/skills/{name}/settings")
def configure(request: Request, name: str, form: Form) -> Response:
    """Set it. Where something does not fit, nothing is set, and what is wrong stands beside its field."""
    book = book_of(request, form.operator)
    skill = found_or_404(book, name)
    typed = read(
        skill.manifest.settings, form.fields, book.settings(skill), secrets_set=_secrets_set(book, skill)
    )  # fmt: skip
    if typed.faults:
        return _shown(request, form.operator, book, skill, typed=typed, fields=form.fields)
    try:
        if typed.changes:
            book.configure(name, typed.changes)
    except SkillError as error:
        return _shown(request, form.operator, book, skill, problem=_told(error))
    return go_to(f"/admin/skills/{name}", done="skill_set")


@router.post("/admin/skills/{name}/upgrade")
def look_at_upgrade(request: Request, name: str, form: Form) -> Response:
    """Build another version and start it once, change nothing, and show what more it asks for."""
    book = book_of(request, form.operator)
    skill = found_or_404(book, name)
    return _tried(request, form.operator, book, skill, form["source"].strip() or skill.source or "")


@router.post("/admin/skills/{name}/upgrade/upload")
def upload_upgrade(request: Request, name: str, form: File) -> Response:
    """The same of an uploaded file."""
    book = book_of(request, form.operator)
    skill = found_or_404(book, name)
    try:
        source = counter_of(platform_of(request)).take(book, form.name, form.content)
    except SkillError as error:
        return _shown(request, form.operator, book, skill, problem=_told(error))
    return _tried(request, form.operator, book, skill, source)


@router.post("/admin/skills/{name}/upgrade/install")
def upgrade(request: Request, name: str, form: Form) -> Response:
    """Put the version that was shown in its place."""
    book = book_of(request, form.operator)
    skill = found_or_404(book, name)
    try:
        counter_of(platform_of(request)).accept(
            book, form["source"], digest=form["digest"], granted=granted_in(form), upgrading=name
        )  # fmt: skip
    except SkillError as error:
        return _shown(request, form.operator, book, skill, problem=_told(error))
    return go_to(f"/admin/skills/{name}", done="skill_upgraded")


@router.post("/admin/skills/{name}/remove")
def remove(request: Request, name: str, form: Form) -> Response:
    """Take it out, with what it stored or without. One that cannot be read any more goes too."""
    try:
        book_of(request, form.operator).remove(name, with_data=form["with_data"] == "yes")
    except NoSuchSkill:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    except UnderHold as error:
        book = book_of(request, form.operator)
        problem = ("skill_problem_UnderHold", str(error))
        return _shown(request, form.operator, book, found_or_404(book, name), problem=problem)
    return go_to("/admin/skills", done="skill_removed")


def _where(form: Posted) -> tuple[str | None, ConversationId | None]:
    """Raises `ValueError`."""
    where = form["where"]
    if where == "conversation":
        return None, ConversationId(UUID(form["conversation"].strip()))
    if where == "everywhere":
        return None, None
    return CHANNELS[CHANNELS.index(where)], None


def _tried(request: Request, operator: Operator, book: SkillBook, skill: SkillView, source: str) -> Response:
    counter = counter_of(platform_of(request))
    try:
        proposal = counter.propose(book, source, upgrading=skill.name)
        counter.try_out(book, source, digest=proposal.digest, upgrading=skill.name)
    except SkillError as error:
        return _shown(request, operator, book, skill, problem=_told(error))
    return offer_page(request, operator, proposal, upgrading=skill.name)


def _told(error: SkillError) -> tuple[str, str]:
    return f"skill_problem_{type(error).__name__}", str(error)


def _secrets_set(book: SkillBook, skill: SkillView) -> list[str]:
    there = book.settings(skill, with_secrets=True)
    return [name for name in secret_names(skill.manifest) if name in there]


def _shown(
    request: Request,
    operator: Operator,
    book: SkillBook,
    skill: SkillView,
    *,
    problem: tuple[str, str] | None = None,
    typed: Typed | None = None,
    fields: dict[str, str] | None = None,
) -> Response:
    secrets_set = _secrets_set(book, skill)
    values: dict[str, Any] = {
        "skill": skill,
        "form": fields_of(skill.manifest.settings, book.settings(skill), secrets_set=secrets_set),
        "faults": typed.faults if typed else {},
        # What was typed stands there again, but for secrets.
        "typed": fields or {},
        "missing": book.missing_settings(skill),
        "jobs": jobs_of(request, operator, skill.name),
        "figures": figures_of(request, operator).get(skill.name, SkillFigures()),
        "changes": operator.may(Right.MANAGE_SKILLS),
        "channels": CHANNELS,
        "meanings": MEANINGS,
        "problem": problem,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem or typed else HTTPStatus.OK
    return page(request, operator, "skill.html", status=status, **values)
