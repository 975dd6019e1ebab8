"""The pages that the navigation leads to, and who sees them there."""

from dataclasses import dataclass
from typing import Final

from parlour.admin.rights import Right


@dataclass(frozen=True, slots=True)
class Entry:
    """One page: its address, the key of its name in the texts, and the right that it asks for."""

    path: str
    name: str
    right: Right


NAVIGATION: Final = (
    Entry("/admin", "nav_overview", Right.SEE_OVERVIEW),
    Entry("/admin/people", "nav_people", Right.SEE_PEOPLE),
    Entry("/admin/pairing", "nav_pairing", Right.SEE_PEOPLE),
    Entry("/admin/conversations", "nav_conversations", Right.SEE_CONVERSATIONS),
    Entry("/admin/feedback", "nav_feedback", Right.SEE_FEEDBACK),
    Entry("/admin/retention", "nav_retention", Right.SEE_RETENTION),
    Entry("/admin/holds", "nav_holds", Right.SEE_HOLDS),
    Entry("/admin/receipts", "nav_receipts", Right.SEE_PEOPLE),
    Entry("/admin/keys", "nav_keys", Right.SEE_KEYS),
    Entry("/admin/audit", "nav_audit", Right.READ_AUDIT),
    Entry("/admin/messengers", "nav_messengers", Right.SEE_OPERATION),
    Entry("/admin/stuck", "nav_stuck", Right.SEE_OPERATION),
    Entry("/admin/skills", "nav_skills", Right.SEE_SKILLS),
    Entry("/admin/jobs", "nav_jobs", Right.SEE_SKILLS),
    Entry("/admin/operators", "nav_operators", Right.MANAGE_OPERATORS),
    Entry("/admin/tokens", "nav_tokens", Right.MANAGE_OPERATORS),
    Entry("/admin/account", "nav_account", Right.HAVE_ACCOUNT),
)
