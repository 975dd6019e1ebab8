"""What a skill's author may meet: mistakes in the skill itself, and calls that the host refuses."""


class SkillMistake(Exception):
    """The skill cannot work as it is written. The message names the file, the line and the remedy."""


class CapabilityError(Exception):
    """A call of a capability failed. The message is for the skill's author and never holds another person's data."""

    code = "failed"


class NotGranted(CapabilityError):
    """The operator did not grant this, or the manifest does not name it."""

    code = "not_granted"


class NotAvailable(CapabilityError):
    """This installation has no such capability, or it cannot be reached now."""

    code = "not_available"


class Invalid(CapabilityError):
    """The arguments are not what the capability takes."""

    code = "invalid"


class TooMuch(CapabilityError):
    """A limit is reached: too many calls, too large a value."""

    code = "too_much"


class TurnOver(CapabilityError):
    """The turn that this call belonged to has ended: it was answered, stopped or ran out of time."""

    code = "turn_over"


BY_CODE: dict[str, type[CapabilityError]] = {
    kind.code: kind for kind in (CapabilityError, NotGranted, NotAvailable, Invalid, TooMuch, TurnOver)
}
