"""`parlour retention`, `hold`, `keys`, `audit`, `receipt`, and `parlour user export|erase`, as typed."""

import json
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from parlour.store.privacy_models import AuditEntry
from tests.support.command import Command
from tests.support.storage import Storage
from tests.unit.cli.conftest import write_first

UNKNOWN = "01a21200-0000-7000-8000-000000000001"


@pytest.fixture
def ann(storage: Storage) -> str:
    """The id of a person who is telegram:1."""
    return str(write_first(storage, "1").user_id)


# ---- retention and holds ----------------------------------------------------------------------------------------


def test_a_rule_is_set_seen_and_cleared(parlour: Command, ann: str) -> None:
    code, said, _ = parlour("retention", "set", "message", "20", "--reason", "policy")
    listed = json.loads(parlour("retention", "show", "--json")[1])

    assert (code, said) == (0, "message in workspace: kept 20 days. 0 rows have a new date.\n")
    assert {"workspace": "default", "scope": "workspace", "class": "message", "days": "20"} in listed
    assert parlour("retention", "clear", "message", "--reason", "new policy")[0] == 0
    assert parlour("retention", "clear", "message")[0] == 1
    assert parlour("retention", "preview", "--json")[:2] == (0, "[]\n")
    assert parlour("retention", "run", "--json", "--reason", "case 17")[:2] == (0, "[]\n")
    log = json.loads(parlour("audit", "tail", "--json")[1])
    assert [(row["action"], row["reason"]) for row in log] == [
        ("retention.run", "case 17"),
        ("retention.clear message", "new policy"),
        ("retention.set message 20d", "policy"),
    ]


def test_a_hold_is_placed_and_stands_against_an_erasure_until_it_is_released(parlour: Command, ann: str) -> None:
    assert parlour("hold", "add", "--user", "telegram:1", "--reason", "Case 17")[0] == 0
    (hold,) = json.loads(parlour("hold", "list", "--json")[1])
    code, _, problem = parlour("user", "erase", "telegram:1", "--yes")

    assert (hold["user"], hold["reason"], hold["released"]) == (ann, "Case 17", None)
    assert code == 1
    assert f"Legal hold {hold['id']} forbids it." in problem
    assert parlour("hold", "release", hold["id"], "--reason", " ")[0] == 1
    assert parlour("hold", "release", hold["id"], "--reason", "closed")[0] == 0
    assert parlour("hold", "list")[1] == "No hold stands.\n"
    assert parlour("user", "erase", "telegram:1", "--yes")[0] == 0


@pytest.mark.parametrize(
    ("line", "exit_code", "words"),
    [
        (["retention", "set", "letters", "20"], 2, "'letters' is not one of"),
        (["retention", "clear", "letters"], 2, "'letters' is not one of"),
        (["retention", "set", "message", "1.5"], 2, "'1.5' is no number of days"),
        (["retention", "set", "message", "soon"], 2, "'soon' is no number of days"),
        (["retention", "set", "message", "20", "--conversation", "x"], 2, "parlour turn show TURN"),
        (["retention", "set", "message", "20", "--workspace", "x"], 1, "No workspace named 'x'."),
        (["retention", "set", "message"], 2, "Missing argument"),
        (["retention", "preview", "message"], 2, "give CLASS and DAYS"),
        (["hold", "add", "--reason", "x"], 2, "give one of"),
        (["hold", "add", "--reason", "x", "--workspace", "x"], 1, "No workspace named 'x'."),
        (["hold", "add", "--reason", "x", "--conversation", UNKNOWN], 1, f"No conversation {UNKNOWN}."),
        (["hold", "add", "--reason", "x", "--user", "x"], 1, "No user 'x'."),
        (["hold", "release", "x", "--reason", "x"], 1, "No hold 'x' stands."),
        (["hold", "release", "x", "--reason", "x" * 1_001], 2, "1,001 characters are too many. Give at most 1,000."),
        (["user", "block", "telegram:1", "--reason", "x" * 1_001], 2, "Give at most 1,000."),
        (["receipt", "verify", "nowhere.json"], 1, "nowhere.json cannot be read (No such file or directory)."),
        (["receipt", "verify", "/dev/zero"], 1, "/dev/zero is larger than a receipt can be"),
        (["receipt", "print", "x"], 1, "No receipt 'x'."),
        (["user", "export", "telegram:1", "--to", "no/where.zip"], 1, "Name another place with --to."),
        (["user", "erase", UNKNOWN, "--yes"], 1, f"No user {UNKNOWN}."),
        (["user", "erase", "telegram:9", "--yes"], 1, "Whoever was erased is known by their id alone"),
        (["retention", "set", "message", "9" * 5000], 2, "is no number of days"),
        (["retention", "preview", "message", "20", "--channel", "nowhere"], 1, "No channel 'nowhere' has an account."),
        (["audit", "tail", "--limit", "0"], 2, "--limit"),
    ],
)
def test_what_cannot_be_done_says_why(
    parlour: Command, ann: str, line: list[str], exit_code: int, words: str
) -> None:  # fmt: skip
    code, said, problem = parlour(*line)

    assert (code, said) == (exit_code, "")
    assert words in problem
    assert exit_code == 2 or problem.count("\n") == 1


def test_whoever_was_erased_is_said_to_be_with_their_receipt(parlour: Command, ann: str) -> None:
    receipt = json.loads(parlour("user", "erase", ann, "--yes", "--json")[1])["receipt"]

    for line in (
        ["hold", "add", "--user", ann, "--reason", "x"],
        ["user", "show", ann],
        ["user", "erase", ann, "--yes"],
    ):
        code, _, problem = parlour(*line)
        assert code == 1
        assert f"User {ann} was erased on " in problem
        assert f"parlour receipt print {receipt}" in problem


# ---- a person's data --------------------------------------------------------------------------------------------


def test_an_export_is_for_its_user_alone_and_overwrites_nothing(parlour: Command, ann: str, tmp_path: Path) -> None:
    code, said, _ = parlour("user", "export", "telegram:1", "--to", "ann.zip", "--json")

    assert code == 0
    assert (json.loads(said)["id"], json.loads(said)["file"]) == (ann, "ann.zip")
    assert (tmp_path / "ann.zip").stat().st_mode & 0o777 == 0o600
    written = (tmp_path / "ann.zip").read_bytes()
    code, _, problem = parlour("user", "export", "telegram:1", "--to", "ann.zip")
    assert (code, "ann.zip is there already" in problem) == (1, True)
    assert (tmp_path / "ann.zip").read_bytes() == written


def test_an_erasures_receipt_is_genuine_and_one_changed_byte_is_seen(
    parlour: Command, ann: str, tmp_path: Path
) -> None:
    code, said, problem = parlour("user", "erase", ann, "--yes", "--receipt", "ann.json", "--json")
    assert (code, problem) == (0, "")
    assert json.loads(said)["id"] == ann  # and no word of the log in between

    key = parlour("receipt", "key")[1].strip()
    assert parlour("receipt", "verify", "ann.json", "--key", key)[0] == 0
    assert parlour("receipt", "print", ann)[1] == (tmp_path / "ann.json").read_text()
    assert [row["person"] for row in json.loads(parlour("receipt", "list", "--json")[1])] == [ann]

    content = (tmp_path / "ann.json").read_bytes()
    (tmp_path / "ann.json").write_bytes(content.replace(b"finished_at", b"finished_ut"))
    code, said, problem = parlour("receipt", "verify", "ann.json", "--json")
    assert (code, said) == (1, "")
    assert problem == "The receipt was changed, or is none: its signature does not fit.\n"


def test_an_erasure_is_told_where_its_receipt_cannot_be_written(parlour: Command, ann: str) -> None:
    code, said, problem = parlour("user", "erase", ann, "--yes", "--receipt", "no/where.json")

    assert (code, said) == (1, "")
    assert problem.startswith(f"{ann} is erased, but the receipt cannot be written to no/where.json (No such file")
    assert parlour("receipt", "print", ann)[0] == 0


# ---- keys and audit ---------------------------------------------------------------------------------------------


def test_keys_are_rotated_wrapped_anew_and_it_stands_in_the_audit_log(parlour: Command, ann: str) -> None:
    before = json.loads(parlour("keys", "status", "--json")[1])["wraps_with"]

    assert parlour("keys", "rotate")[0] == 0
    assert json.loads(parlour("keys", "status", "--json")[1])["wrapped_by_an_older_key"] == 2
    code, said, _ = parlour("keys", "rewrap", "--retire")

    assert (code, said) == (0, f"2 keys are wrapped anew.\nDestroyed: {before}.\n")
    assert [row["action"] for row in json.loads(parlour("audit", "tail", "--json")[1])] == [
        "keys.retire",
        "keys.rewrap",
        "keys.rotate",
    ]
    assert json.loads(parlour("audit", "verify", "--json")[1]) == {"entries": 3, "findings": []}
    assert parlour("audit", "tail", "--subject", "x")[1] == "No such entry. See all with: parlour audit tail\n"
    assert parlour("audit", "accept", "--reason", "x")[2].startswith("The log goes as far as it should")


def test_what_is_wrong_with_the_audit_log_is_told_by_number(parlour: Command, storage: Storage, ann: str) -> None:
    for _ in range(4):
        parlour("keys", "rotate")
    with storage.database.begin() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.seq.in_([2, 3])))
        session.execute(update(AuditEntry).where(AuditEntry.seq == 1).values(seq=-1))

    code, _, problem = parlour("audit", "verify")

    assert code == 1
    assert "entry -1 is unexpected, entries 1 to 3 are missing. Compare it with a backup" in problem
