"""`/audit`: who did what, with whom, when and why; and whether the log is whole."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from parlour.admin.api.authority import Caller, sees
from parlour.admin.api.cursors import Cursor, Limit, Page
from parlour.admin.api.resource import Moment, resource
from parlour.admin.rights import Right
from parlour.people.finding import named_in_audit
from parlour.privacy import audit
from parlour.privacy.audit_list import AuditFilter, list_audit

router = resource()

Word = Annotated[
    str | None, Query(max_length=200, description="As an entry has it; or an id, or for a person `telegram:12345`.")
]


class EntryShown(BaseModel):
    """One entry of the log."""

    seq: int
    at: datetime
    actor: str = Field(examples=["token:01a205dc-284c-76f5-b6ea-c4fcc0328c41"])
    action: str = Field(examples=["user.block"])
    subject: str
    reason: str | None


class FindingShown(BaseModel):
    """What is wrong with one entry, or with all from `seq` to `upto`."""

    seq: int
    problem: str = Field(description="altered, missing or unexpected")
    upto: int


class VerdictShown(BaseModel):
    """What a look through the whole chain found."""

    entries: int
    is_whole: bool
    findings: list[FindingShown]


@router.get("/audit", summary="Read the audit log")
def tail(
    caller: Annotated[Caller, sees(Right.READ_AUDIT)],
    *,
    actor: Word = None,
    action: Annotated[str | None, Query(max_length=64, description="One, or how several begin: `hold.`")] = None,
    subject: Word = None,
    since: Annotated[Moment | None, Query(description="From then on.")] = None,
    until: Annotated[Moment | None, Query(description="Before then.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[EntryShown]:
    """The newest entries first: those of the workspace, and those about the whole installation."""
    parts, cursors = caller.platform, caller.cursors("audit", actor, action, subject, since, until)
    before = cursors.read(cursor)
    found = list_audit(
        parts.database,
        parts.privacy,
        caller.workspace_id,
        AuditFilter(_names(caller, actor), action, _names(caller, subject), since, until),
        before=None if before is None else int(before),
        limit=limit + 1,
    )
    return cursors.page(found, limit, position=lambda one: one.seq, shown=lambda one: EntryShown(**asdict(one)))


@router.post("/audit/verify", summary="Verify the audit log")
def verify(caller: Annotated[Caller, sees(Right.READ_AUDIT)]) -> VerdictShown:
    """Look through the whole chain: every entry there, in its place and as it was written."""
    parts = caller.platform
    verdict = audit.verify(parts.database, parts.privacy)
    if not verdict.findings:
        audit.anchor(parts.database, parts.privacy)
    return VerdictShown(
        entries=verdict.entries,
        is_whole=not verdict.findings,
        findings=[FindingShown(**asdict(one)) for one in verdict.findings],
    )


def _names(caller: Caller, word: str | None) -> Sequence[str] | None:
    if word is None:
        return None
    parts = caller.platform
    return named_in_audit(parts.database, parts.privacy, word, workspace_id=caller.workspace_id)
