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


class EmailUnfit(SigninError):
    """That is no e-mail address."""


class PersonUnknown(SigninError):
    """There is no such person in this workspace."""


class LoginUnknown(SigninError):
    """There is no such login in this workspace."""


class LastOwnerLogin(SigninError):
    """A workspace keeps one owner who can sign in."""


class CodeWrong(SigninError):
    """The code is not that of the secret."""


class ReturnStale(SigninError):
    """Whoever comes back from the identity provider did not leave from this browser, or too long ago."""


class ProviderAway(SigninError):
    """The identity provider does not answer, or what it answers is none."""


class NotVouchedFor(SigninError):
    """What the identity provider handed out does not prove who somebody is."""


class IdentityNotAllowed(SigninError):
    """The settings leave this identity out: its domain, or what it says of itself."""


class IdentityUnknown(SigninError):
    """Nobody was invited by this identity."""


class IdentityTaken(SigninError):
    """Another login has this address or identity."""
