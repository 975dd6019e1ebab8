"""`parlour operator`, as typed."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from parlour.admin.signin.logins import Logins
from tests.support.command import Command
from tests.support.storage import Storage

PASSWORD = "several words make a good one"


def _use(storage: Storage, link: str, name: str = "") -> None:
    """Set the password by the link that was printed."""
    token = parse_qs(urlsplit(link.strip()).query)["token"][0]
    Logins(storage.database, storage.privacy).set_password_by_link(token, name, PASSWORD)


def test_the_first_owner_is_invited_before_any_process_has_run(parlour: Command, storage: Storage) -> None:
    code, link, hint = parlour("operator", "invite", "--first", "--url", "https://chat.example.com/")

    assert code == 0
    assert link.startswith("https://chat.example.com/admin/first?token=")
    assert "once" in hint
    _use(storage, link, "Olga")
    (owner,) = json.loads(parlour("operator", "list", "--json")[1])
    assert (owner["name"], owner["role"], owner["password"]) == ("Olga", "owner", True)
    again = parlour("operator", "invite", "--first")
    assert (again[0], again[1]) == (1, "")
    assert "Somebody can sign in already" in again[2]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "chat.example.com", "https://", "file:///etc", "http://[x"])
def test_a_link_is_made_for_an_address_of_the_web_alone(parlour: Command, url: str) -> None:
    code, printed, problem = parlour("operator", "invite", "--first", "--url", url)

    assert (code, printed) == (2, "")
    assert "https://chat.example.com" in problem


def test_a_newer_first_link_is_in_place_of_the_older(parlour: Command, storage: Storage) -> None:
    links = [parlour("operator", "invite", "--first")[1] for _ in range(2)]

    assert links[0].startswith("http://127.0.0.1:8080/admin/first?token=")
    with pytest.raises(Exception, match="was used, or is past its time"):
        _use(storage, links[0], "Eve")
    _use(storage, links[1], "Olga")


def test_operators_are_invited_changed_and_removed(
    parlour: Command, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(storage, parlour("operator", "invite", "--first")[1], "Olga")
    invited = parlour("operator", "invite", "ann", "--role", "auditor", "--email", "ann@example.com")
    _use(storage, invited[1])

    assert parlour("operator", "role", "ann", "admin")[0] == 0
    listed = {one["name"]: one for one in json.loads(parlour("operator", "list", "--json")[1])}
    assert (listed["ann"]["role"], listed["ann"]["identity provider"]) == ("admin", True)
    assert parlour("operator", "identity", "ann")[:2] == (0, "Operator ann has no identity now.\n")
    assert parlour("operator", "identity", "ann", "--subject", "7")[0] == 1
    monkeypatch.setenv("PARLOUR_OIDC__ISSUER", "https://id.example.com/")
    monkeypatch.setenv("PARLOUR_OIDC__CLIENT_ID", "parlour")
    monkeypatch.setenv("PARLOUR_OIDC__CLIENT_SECRET", "x")
    monkeypatch.setenv("PARLOUR_OIDC__REDIRECT_URL", "https://chat.example.com/admin/oidc/back")
    assert parlour("operator", "identity", "ann", "--subject", "7")[0] == 0
    assert parlour("operator", "remove", "ann")[0] == 0
    assert [one["name"] for one in json.loads(parlour("operator", "list", "--json")[1])] == ["Olga"]


def test_an_operator_is_helped_after_a_theft(parlour: Command, storage: Storage) -> None:
    _use(storage, parlour("operator", "invite", "--first")[1], "Olga")
    _use(storage, parlour("operator", "invite", "ann")[1])

    out = parlour("operator", "sign-out", "ann", "--takes-password")
    codes = parlour("operator", "codes-off", "ann")
    listed = {one["name"]: one["password"] for one in json.loads(parlour("operator", "list", "--json")[1])}
    link = parlour("operator", "link", "ann", "--url", "https://chat.example.com")
    _use(storage, link[1])

    assert out[0] == 0
    assert out[1].endswith("and has no password. Make a link for a new one: parlour operator link ann\n")
    assert codes[:2] == (0, "Operator ann is asked for no codes any more.\n")
    assert listed == {"Olga": True, "ann": False}
    assert link[1].startswith("https://chat.example.com/admin/first?token=")
    actions = [one["action"] for one in json.loads(parlour("audit", "tail", "--json")[1])]
    assert {"login.sign-out", "login.password-off", "login.totp-off", "login.link"} <= set(actions)


@pytest.mark.parametrize(
    ("line", "exit_code", "words"),
    [
        (("invite",), 2, "give a name, or --first"),
        (("invite", "ann", "--first"), 2, "give a name, or --first"),
        (("invite", "ann", "--email", "none"), 1, "That is no e-mail address."),
        (("invite", "Olga"), 1, "Somebody signs in by that name or address already."),
        (("remove", "nobody"), 1, "No operator 'nobody'. See all with: parlour operator list"),
        (("remove", "Olga"), 1, "This is the last owner who can sign in."),
        (("sign-out", "Olga", "--takes-password"), 1, "This is the last owner who can sign in."),
        (("sign-out", "nobody"), 1, "No operator 'nobody'."),
        (("link", "Olga", "--url", "x"), 2, "https://chat.example.com"),
        (("role", "Olga", "admin"), 1, "This is the last owner who can sign in."),
        (("identity", "Olga", "--email", "a@b.c", "--subject", "7"), 2, "give one of --email, --subject"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    parlour: Command, storage: Storage, line: tuple[str, ...], exit_code: int, words: str
) -> None:
    _use(storage, parlour("operator", "invite", "--first")[1], "Olga")

    code, _, told = parlour("operator", *line)

    assert code == exit_code
    assert words in told
