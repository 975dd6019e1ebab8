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
    Entry("/admin/operators", "nav_operators", Right.MANAGE_OPERATORS),
    Entry("/admin/account", "nav_account", Right.HAVE_ACCOUNT),
)
