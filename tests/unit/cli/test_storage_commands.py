"""`parlour db`, `parlour keys`, `parlour user`, as typed."""

import json
from pathlib import Path

import pytest

from parlour.people import consent
from parlour.people.quotas import QuotaRules, Quotas
from parlour.store.schema import Schema, downgrade, head
from tests.support.command import Command
from tests.support.storage import Storage
from tests.unit.cli.conftest import write_first

# ---- db ---------------------------------------------------------------------------------------------------------


def test_both_databases_come_up_and_say_where_they_are(parlour: Command, tmp_path: Path) -> None:
    code, said, _ = parlour("db", "upgrade")
    _, listed, _ = parlour("db", "current", "--json")

    assert (code, said) == (0, f"content: at {head(Schema.CONTENT)}\nkeys: at {head(Schema.KEYS)}\n")
    assert [(row["database"], row["revision"]) for row in json.loads(listed)] == [
        ("content", head(Schema.CONTENT)),
        ("keys", head(Schema.KEYS)),
    ]
    assert str(tmp_path / "data" / "parlour.sqlite") in listed


def test_before_the_first_upgrade_there_is_no_revision(parlour: Command) -> None:
    code, listed, _ = parlour("db", "current", "--json")

    assert code == 0
    assert [row["revision"] for row in json.loads(listed)] == [None, None]


def test_one_database_goes_down_and_up_again(parlour: Command) -> None:
    parlour("db", "upgrade")

    _, down, _ = parlour("db", "downgrade", "base", "--only", "content", "--yes")
    _, up, _ = parlour("db", "upgrade", "0001", "--only", "content")

    assert (down, up) == ("content: at base\n", "content: at 0001\n")


def test_going_down_without_a_yes_changes_nothing(parlour: Command) -> None:
    parlour("db", "upgrade")

    code, _, _ = parlour("db", "downgrade", "base", "--only", "content")

    assert code == 1
    assert json.loads(parlour("db", "current", "--json")[1])[0]["revision"] == head()


def test_a_revision_of_both_is_refused(parlour: Command) -> None:
    code, _, problem = parlour("db", "upgrade", "0001")

    assert code == 1
    assert "--only content or --only keys" in problem


def test_an_unknown_revision_is_one_line(parlour: Command) -> None:
    code, _, problem = parlour("db", "upgrade", "nowhere", "--only", "keys")

    assert code == 1
    assert problem == "No revision 'nowhere' to go to. There are: base, 0001, 0002, head.\n"


# ---- before there is anything -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["user", "list"], ["keys", "status"], ["user", "approve", "ABCD-EFGH"]])
def test_without_tables_a_command_says_how_to_get_them(parlour: Command, command: list[str]) -> None:
    code, _, problem = parlour(*command)

    assert code == 1
    assert problem.endswith("has no tables yet. Bring it up with: parlour db upgrade\n")
    assert problem.count("\n") == 1


def test_looking_at_keys_makes_none(parlour: Command, tmp_path: Path) -> None:
    parlour("db", "upgrade")

    code, _, problem = parlour("keys", "status")

    assert code == 1
    assert "The first start of Parlour makes it" in problem
    assert not (tmp_path / "data" / "keys" / "master.key").exists()


def test_a_key_store_that_lags_behind_is_one_line(parlour: Command, storage: Storage) -> None:
    downgrade(storage.keys_url, "base", Schema.KEYS)

    code, _, problem = parlour("user", "list")

    assert code == 1
    assert "parlour db upgrade" in problem


# ---- keys -------------------------------------------------------------------------------------------------------


def test_the_keys_state_is_shown_for_people_and_programs(parlour: Command, storage: Storage) -> None:
    write_first(storage, "1")

    code, table, _ = parlour("keys", "status")
    _, listed, _ = parlour("keys", "status", "--json")

    assert code == 0
    assert str(storage.key_file) in table
    assert json.loads(listed)["data_keys"] == 2


# ---- user -------------------------------------------------------------------------------------------------------


def test_nobody_yet_is_said_so(parlour: Command, storage: Storage) -> None:
    assert parlour("user", "list")[1] == "Nobody yet. People appear here when they first write.\n"
    assert json.loads(parlour("user", "list", "--json")[1]) == []


def test_people_are_listed_and_shown(parlour: Command, storage: Storage) -> None:
    person = write_first(storage, "4711", "pairing")
    write_first(storage, "4712")

    _, table, _ = parlour("user", "list", "--state", "pending")
    _, shown, _ = parlour("user", "show", "telegram:4711", "--json")

    assert "telegram:4711" in table
    assert "telegram:4712" not in table
    assert json.loads(shown)["user_id"] == str(person.user_id)
    assert json.loads(shown)["identities"] == [{"channel": "telegram", "external_id": "4711", "name": "Name of 4711"}]


def test_each_step_of_a_persons_consent_is_shown(parlour: Command, storage: Storage) -> None:
    ann, now = write_first(storage, "4711").user_id, storage.database.clock.now()
    with storage.database.begin() as session:
        consent.ask(session, ann, language="en", now=now)
        consent.decide(session, ann, is_given=False, language="en", now=now)

    _, table, _ = parlour("user", "show", "telegram:4711")
    _, shown, _ = parlour("user", "show", "telegram:4711", "--json")

    steps = json.loads(shown)["consent_steps"]
    assert [(one["decision"], one["version"]) for one in steps] == [
        ("asked", consent.VERSION),
        ("refused", consent.VERSION),
    ]
    assert [line.split()[:2] for line in table.splitlines()[-2:]] == [
        ["asked", consent.VERSION],
        ["refused", consent.VERSION],
    ]


def test_what_is_used_of_a_quota_today_is_shown(
    parlour: Command, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLOUR_QUOTAS__USER_TURNS", "5")
    ann = write_first(storage, "4711")
    quotas = Quotas(QuotaRules(user_turns=5), retention=storage.retention)
    with storage.database.begin() as session:
        quotas.take(session, user_id=ann.user_id, workspace_id=ann.workspace_id, now=storage.database.clock.now())

    _, table, _ = parlour("user", "show", "telegram:4711")
    _, shown, _ = parlour("user", "show", "telegram:4711", "--json")

    assert table.splitlines()[-1].split()[:4] == ["user", "turns", "1", "5"]
    assert [(one["used"], one["limit"]) for one in json.loads(shown)["used_today"]] == [(1, 5)]


def test_a_stranger_is_approved_by_their_code(parlour: Command, storage: Storage) -> None:
    person = write_first(storage, "4711", "pairing")

    code, said, _ = parlour("user", "approve", person.pairing_code or "")

    assert (code, said) == (0, f"{person.user_id} may talk now. Ask them to write again.\n")
    assert write_first(storage, "4711", "pairing").state == "active"


def test_a_person_is_blocked_and_unblocked(parlour: Command, storage: Storage) -> None:
    person = write_first(storage, "4711")

    assert parlour("user", "block", "telegram:4711")[0] == 0
    blocked = write_first(storage, "4711").state
    assert parlour("user", "unblock", str(person.user_id))[0] == 0

    assert blocked == "blocked"
    assert write_first(storage, "4711").state == "active"


def test_why_stands_in_the_audit_log(parlour: Command, storage: Storage) -> None:
    write_first(storage, "4711")
    for line in (["role", "telegram:4711", "guest"], ["link", "telegram:4711"], ["block", "telegram:4711"]):
        parlour("user", *line, "--reason", "case 17")
    parlour("user", "unblock", "telegram:4711", "--reason", " ")
    parlour("keys", "rotate", "--reason", "once a year")
    parlour("keys", "rewrap", "--retire", "--reason", "once a year")

    found = json.loads(parlour("audit", "tail", "--json")[1])

    assert [(one["action"], one["reason"]) for one in reversed(found)] == [
        ("user.role.guest", "case 17"),
        ("user.link-code", "case 17"),
        ("user.block", "case 17"),
        ("user.unblock", None),
        ("keys.rotate", "once a year"),
        ("keys.rewrap", "once a year"),
        ("keys.retire", "once a year"),
    ]


def test_a_stranger_who_was_never_let_in_is_not_by_unblocking(parlour: Command, storage: Storage) -> None:
    write_first(storage, "4711", "pairing")
    parlour("user", "block", "telegram:4711")

    code, said, _ = parlour("user", "unblock", "telegram:4711")

    assert code == 0
    assert "was never let in, and waits again" in said
    assert write_first(storage, "4711", "pairing").state == "pending"


def test_the_last_owner_keeps_the_role(parlour: Command, storage: Storage) -> None:
    person = write_first(storage, "4711")
    given = parlour("user", "role", "telegram:4711", "owner")

    code, _, problem = parlour("user", "role", "telegram:4711", "member")

    assert given[:2] == (0, f"{person.user_id} is now owner.\n")
    assert code == 1
    assert problem == f"User {person.user_id} is the last owner. Make someone else owner first.\n"


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        (["show", "telegram:nobody"], 1),
        (["block", "nobody"], 1),
        (["approve", "ABCD-EFGH"], 1),
        (["list", "--after", "x"], 2),
        (["list", "--state", "x"], 2),
        (["list", "--limit", "0"], 2),
        (["role", "x", "king"], 2),
        (["show"], 2),
    ],
)
def test_what_cannot_be_done_has_its_exit_code(
    parlour: Command, storage: Storage, command: list[str], exit_code: int
) -> None:
    code, said, problem = parlour("user", *command)

    assert (code, said) == (exit_code, "")
    assert problem


@pytest.mark.parametrize("group", ["db", "keys", "user"])
def test_every_command_has_an_example_in_its_help(parlour: Command, group: str) -> None:
    from importlib import import_module  # noqa: PLC0415 (the module is the parameter)

    for command in import_module(f"parlour.cli.{group}").app.registered_commands:
        code, page, _ = parlour(group, command.name, "--help")

        assert code == 0
        assert f"Example: parlour {group} {command.name}" in page


@pytest.mark.parametrize(
    "line",
    [["user", "show"], ["user", "block"], ["user", "erase", "--yes"], ["hold", "add", "--reason", "x", "--user"]],
)
def test_a_messengers_id_that_two_workspaces_know_is_asked_back_about(
    parlour: Command, storage: Storage, line: list[str]
) -> None:
    here, there = write_first(storage, "1").user_id, write_first(storage, "1", workspace="other").user_id

    code, said, problem = parlour(*line, "telegram:1")

    assert (code, said) == (1, "")
    assert f"Give the id of the one you mean: {here} (in default), {there} (in other)" in problem
    assert parlour(*line, str(there))[0] == 0
    assert [
        one["state"] for one in json.loads(parlour("user", "list", "--json")[1]) if one["user_id"] == str(here)
    ] == ["active"]


def test_people_are_listed_by_role(parlour: Command, storage: Storage) -> None:
    first, second = write_first(storage, "1").user_id, write_first(storage, "2").user_id
    parlour("user", "role", str(second), "auditor")

    def listed(*line: str) -> list[str]:
        return [one["user_id"] for one in json.loads(parlour("user", "list", "--json", *line)[1])]

    assert listed("--role", "auditor") == [str(second)]
    assert listed("--role", "member", "--state", "active") == [str(first)]
    assert parlour("user", "list", "--role", "owner")[1] == "Nobody there of that kind.\n"
