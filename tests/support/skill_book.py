"""The skills of a test's stage."""

from parlour.skills.service import SkillBook
from tests.support.stage import Stage


def book_of(stage: Stage) -> SkillBook:
    """The skills of the stage's workspace."""
    return stage.platform.skills.book(stage.platform.accounts.ensure_workspace())
