"""`parlour token`, as typed."""

import json

import pytest

from parlour.admin.api.tokens import holder_of
from tests.support.command import Command
from tests.support.storage import Storage

UNKNOWN = "01a21200-0000-7000-8000-000000000001"


@pytest.fixture(autouse=True)
def _workspace(storage: Storage) -> None:
    storage.workspace()


def test_a_token_is_made_listed_and_revoked(parlour: Command, storage: Storage) -> None:
    code, token, hint = parlour("token", "create", "dashboard", "--role", "auditor", "--scope", "see people")
    (listed,) = json.loads(parlour("token", "list", "--json")[1])

    assert code == 0
    assert f"parlour token revoke {listed['id']}" in hint
    assert (listed["name"], listed["role"], listed["may"]) == ("dashboard", "auditor", "see people")
    assert token.strip() not in json.dumps(listed)
    assert holder_of(storage.database, storage.privacy, token.strip()) is not None
    assert parlour("token", "revoke", listed["id"])[:2] == (0, f"Token {listed['id']} is revoked.\n")
    assert holder_of(storage.database, storage.privacy, token.strip()) is None


@pytest.mark.parametrize(
    ("line", "exit_code", "words"),
    [
        (["create", "x"], 2, "--role"),
        (["create", "x", "--role", "king"], 2, "king"),
        (["create", "x", "--role", "member"], 1, "The role member may do nothing over the API."),
        (["create", " ", "--role", "owner"], 1, "1 to 100 characters"),
        (["create", "x", "--role", "auditor", "--scope", "erase people"], 1, "does not have: erase people"),
        (["create", "x", "--role", "owner", "--workspace", "x"], 1, "No workspace named 'x'."),
        (["revoke", UNKNOWN], 1, f"No token {UNKNOWN}"),
        (["revoke", "parlour_secret"], 2, "That is no token's id."),
    ],
)
def test_what_cannot_be_done_says_why(parlour: Command, line: list[str], exit_code: int, words: str) -> None:
    code, said, problem = parlour("token", *line)

    assert (code, said) == (exit_code, "")
    assert words in problem
    assert "parlour_secret" not in problem
