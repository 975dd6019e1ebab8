"""What a person reads when a skill cannot answer, in English and Chinese. Never what went wrong inside."""

from parlour.skills.errors import SkillError, SkillRemoved, SkillTimedOut, SkillUnavailable


def apology(error: SkillError, *, skill: str, language: str) -> str:
    """An honest word on why there is no answer, or no more of it."""
    if isinstance(error, SkillTimedOut):
        kind = ("took too long to answer", "用时过长，未能回答")
    elif isinstance(error, SkillUnavailable):
        kind = ("is not available right now; please try again in a few minutes", "暂时不可用，请几分钟后再试")
    elif isinstance(error, SkillRemoved):
        kind = ("was removed, and cannot answer any more", "已被移除，无法继续回答")
    else:
        kind = ("had a problem and could not answer", "出现问题，未能回答")
    return f"技能“{skill}”{kind[1]}。" if language == "zh" else f"The skill “{skill}” {kind[0]}."


def nothing_said(*, skill: str, language: str) -> str:
    """What stands in an answer's place where a skill came to its end and said nothing."""
    return f"技能“{skill}”没有给出回答。" if language == "zh" else f"The skill “{skill}” gave no answer."
