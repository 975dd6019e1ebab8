"""Skills: the list, and installing one, shown before anything of it runs."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import csv_file
from parlour.admin.rights import Right
from parlour.admin.uploads import Uploaded, counter_of, uploaded
from parlour.sdk.capabilities import MEANINGS
from parlour.sdk.schema import names_hosts
from parlour.skills.errors import NoSuchSkill, SkillError
from parlour.skills.figures import SkillFigures, figures
from parlour.skills.handing_in import Proposal
from parlour.skills.jobs import JobBook, JobView
from parlour.skills.service import SkillBook
from parlour.skills.views import SkillView

router = APIRouter()

Seer = Annotated[Operator, needs(Right.SEE_SKILLS)]
Form = Annotated[Posted, posted(Right.MANAGE_SKILLS)]
File = Annotated[Uploaded, uploaded(Right.MANAGE_SKILLS)]

FIGURES_OVER: Final = timedelta(days=7)
# The name of a checkbox that grants something: this, and what.
GRANT: Final = "grant:"
_HEADER = ("name", "version", "state", "may", "turns", "errors", "p50 ms", "p95 ms")
_JOBS_HEADER = ("skill", "job", "schedule", "due at", "is running", "runs", "finished at", "outcome", "error")


def book_of(request: Request, operator: Operator) -> SkillBook:
    """The skills of the operator's workspace, changed in their name."""
    return platform_of(request).skills.book(operator.workspace_id, actor=operator.actor)


def figures_of(request: Request, operator: Operator) -> dict[str, SkillFigures]:
    """How the workspace's skills did lately."""
    platform = platform_of(request)
    return figures(platform.database, operator.workspace_id, since=platform.clock.now() - FIGURES_OVER)


def jobs_of(request: Request, operator: Operator, skill: str | None = None) -> list[JobView]:
    """What the workspace's skills, or one of them, do by themselves."""
    return JobBook(platform_of(request).database, owner="admin").all(operator.workspace_id, skill)


@router.get("/admin/skills")
def show_skills(request: Request, operator: Seer) -> Response:
    """What is installed, and the forms by which more is."""
    return _shown(request, operator)


@router.get("/admin/skills.csv")
def skills_csv(request: Request, operator: Seer) -> Response:
    """The same as CSV."""
    numbers = figures_of(request, operator)
    rows = (_row(skill, numbers.get(skill.name, SkillFigures())) for skill in book_of(request, operator).installed())
    return csv_file("skills", _HEADER, rows)


@router.post("/admin/skills/look")
def look(request: Request, form: Form) -> Response:
    """What a name with version, or an address, holds and asks for. Nothing of it runs."""
    return _looked(request, form.operator, form["source"].strip())


@router.post("/admin/skills/upload")
def upload(request: Request, form: File) -> Response:
    """The same of an uploaded file."""
    try:
        source = counter_of(platform_of(request)).take(book_of(request, form.operator), form.name, form.content)
    except SkillError as error:
        return _shown(request, form.operator, problem=error)
    return _looked(request, form.operator, source)


@router.post("/admin/skills/install")
def install(request: Request, form: Form) -> Response:
    """Install what was shown, with what was granted."""
    book = book_of(request, form.operator)
    try:
        skill = counter_of(platform_of(request)).accept(
            book, form["source"], digest=form["digest"], granted=granted_in(form)
        )
    except SkillError as error:
        return _shown(request, form.operator, problem=error)
    return go_to(f"/admin/skills/{skill.name}", done="skill_installed")


@router.get("/admin/jobs")
def show_jobs(request: Request, operator: Seer) -> Response:
    """What skills do by themselves: when it is due, and how its last run went."""
    return page(request, operator, "jobs.html", jobs=jobs_of(request, operator))


@router.get("/admin/jobs.csv")
def jobs_csv(request: Request, operator: Seer) -> Response:
    """The same as CSV."""
    return csv_file("jobs", _JOBS_HEADER, (_job_row(one) for one in jobs_of(request, operator)))


def granted_in(form: Posted) -> frozenset[str]:
    """What the boxes of an offer's form grant."""
    return frozenset(name.removeprefix(GRANT) for name in form.fields if name.startswith(GRANT))


def offer_page(request: Request, operator: Operator, proposal: Proposal, *, upgrading: str | None = None) -> Response:
    """What would be installed and what it asks for, with a box for each grant."""
    manifest = proposal.offer.manifest
    send_to = "/admin/skills/install" if upgrading is None else f"/admin/skills/{upgrading}/upgrade/install"
    return page(
        request,
        operator,
        "skill_offer.html",
        proposal=proposal,
        manifest=manifest,
        before=proposal.offer.before,
        meanings=MEANINGS,
        set_hosts=names_hosts(manifest.settings),
        grant=GRANT,
        send_to=send_to,
        upgrading=upgrading,
    )


def found_or_404(book: SkillBook, name: str) -> SkillView:
    """The skill; another workspace's is as unknown as one that never was."""
    try:
        return book.get(name)
    except NoSuchSkill:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None


def _looked(request: Request, operator: Operator, source: str) -> Response:
    try:
        proposal = counter_of(platform_of(request)).propose(book_of(request, operator), source)
    except SkillError as error:
        return _shown(request, operator, problem=error)
    return offer_page(request, operator, proposal)


def _shown(request: Request, operator: Operator, *, problem: SkillError | None = None) -> Response:
    book = book_of(request, operator)
    values: dict[str, Any] = {
        "skills": book.installed(),
        "unreadable": book.unreadable(),
        "figures": figures_of(request, operator),
        "changes": operator.may(Right.MANAGE_SKILLS),
        "problem": problem and (f"skill_problem_{type(problem).__name__}", str(problem)),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    return page(request, operator, "skills.html", status=status, **values)


def _row(skill: SkillView, one: SkillFigures) -> tuple[object, ...]:
    may = ", ".join(sorted(skill.grants))
    return skill.name, skill.version, skill.state, may, one.turns, one.errors, one.p50_ms, one.p95_ms


def _job_row(one: JobView) -> tuple[object, ...]:
    last = one.finished_at and one.finished_at.isoformat()
    due = one.due_at.isoformat()
    return one.skill, one.name, one.schedule, due, one.is_running, one.runs, last, one.outcome, one.error
