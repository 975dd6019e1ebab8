"""What can be wrong with a sign-in, or with a change of logins."""


class SigninError(Exception):
    """What was asked cannot be done. The message names the remedy."""


class Refused(SigninError):
    """Name, password or code is not right. Which of them is not told."""


class TooOften(SigninError):
    """Too many tries by this name or from this address."""


class LinkSpent(SigninError):
    """The link is unknown, was used, or is past its time."""


class PasswordTooWeak(SigninError):
    """The password is too short or too long."""


class NameTaken(SigninError):
    """Somebody signs in by that name already."""


class NameUnfit(SigninError):
    """A name has 1 to 100 characters."""


class LoginUnknown(SigninError):
    """There is no such login in this workspace."""


class LastOwnerLogin(SigninError):
    """A workspace keeps one owner who can sign in."""


class CodeWrong(SigninError):
    """The code is not that of the secret."""
