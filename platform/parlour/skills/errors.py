"""What can go wrong with skills. Messages are for operators and hold no content; each says what to do."""


class SkillError(Exception):
    """A skill could not be installed, found, set or called. `code` is what a turn and a metric call it."""

    code = "skill_failed"


class NoSuchSkill(SkillError):
    """No skill of that name is installed."""


class SkillUnreadable(SkillError):
    """What is kept of an installed skill is no manifest."""


class SkillRemoved(SkillError):
    """The skill was taken out while it was at work."""

    code = "skill_removed"


class NoSuchConversation(SkillError):
    """There is no such conversation in this workspace."""


class InstallRefused(SkillError):
    """What was to be installed is not a skill, lies about itself, or does not fit this Parlour."""


class OfferChanged(SkillError):
    """What was shown to an operator is not what would be installed now."""


class GrantsMissing(SkillError):
    """The skill asks for more than was granted."""


class BadSettings(SkillError):
    """The values do not fit the skill's settings."""


class SkillUnavailable(SkillError):
    """The skill's process is not there, and waits before it is started again."""

    code = "skill_unavailable"


class SkillBroke(SkillError):
    """The skill's process ended, or sent what it must not, in the middle of a call."""

    code = "skill_broke"


class SkillTimedOut(SkillError):
    """The skill did not finish in time."""

    code = "skill_timed_out"


class SkillFailed(SkillError):
    """The skill's own code raised; `error` is the class, `place` the file and line."""

    def __init__(self, skill: str, error: str, place: str) -> None:
        super().__init__(f"The skill {skill!r} failed: {error} at {place or 'an unknown place'}.")
        self.error = error
        self.place = place


class BadInput(SkillError):
    """What was handed to a skill is not there, or not what the skill takes."""
