"""G11: what cannot work stops the process at its start, with one clear line; nothing is overwritten for it to start."""

import sqlite3
from pathlib import Path

import pytest

from tests.fakes.telegram import FakeTelegram
from tests.integration.e2e.layouts import Embedded, environment
from tests.processes import PARLOUR, Process


def refusal(folder: Path, *arguments: str, **more: str) -> str:
    """The one line with which `parlour up` (or another command) refused to start."""
    process = Process([*PARLOUR, *(arguments or ("up",))], environment(folder, **more), cwd=folder).launch()
    code = process.wait(timeout_s=60)
    lines = [line for line in process.output.splitlines() if not line.startswith("{")]
    assert code == 1, process.output
    assert len(lines) == 1, process.output
    assert "Traceback" not in process.output
    return lines[0]


def test_a_second_up_on_one_data_folder_says_so_and_stops(tmp_path: Path) -> None:
    """The first one goes on."""
    with Embedded(environment(tmp_path), tmp_path) as house:
        line = refusal(tmp_path)

        assert "Another parlour already runs" in line
        assert house.processes["up"].popen.poll() is None


def test_a_token_that_telegram_rejects_is_named(tmp_path: Path, telegram: FakeTelegram) -> None:
    """The setting is named, the token itself is not shown."""
    wrong = "999999:wrong-token-of-nobody-at-all-xxxxxxxx"

    line = refusal(tmp_path, PARLOUR_TELEGRAM__TOKEN=wrong, PARLOUR_TELEGRAM__BASE_URL=telegram.base_url)

    assert "telegram" in line.lower()
    assert "token" in line.lower()
    assert wrong not in line


def test_a_lost_key_file_is_never_replaced(tmp_path: Path) -> None:
    """Data without its key: refuse to start, and make no new key."""
    with Embedded(environment(tmp_path), tmp_path) as house:
        key = house.data_dir / "keys" / "master.key"
    kept = key.read_bytes()
    key.unlink()

    line = refusal(tmp_path)

    assert "master.key" in line
    assert not key.exists()
    key.write_bytes(kept)
    key.chmod(0o600)
    with Embedded(environment(tmp_path), tmp_path) as house:
        assert house.processes["up"].popen.poll() is None


def test_a_wrong_key_file_is_refused(tmp_path: Path) -> None:
    """A key of another installation opens nothing here."""
    other = tmp_path / "other"
    other.mkdir()
    for folder in (tmp_path, other):
        with Embedded(environment(folder), folder) as house:
            house.processes["up"].stop()
    key = tmp_path / "data" / "keys" / "master.key"
    key.write_bytes((other / "data" / "keys" / "master.key").read_bytes())

    line = refusal(tmp_path)

    assert "key" in line.lower()


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """0600 or nothing."""
    with Embedded(environment(tmp_path), tmp_path) as house:
        key = house.data_dir / "keys" / "master.key"
    key.chmod(0o644)

    assert "master.key" in refusal(tmp_path)


def test_a_database_of_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    """An older version must not touch what a newer one wrote."""
    with Embedded(environment(tmp_path), tmp_path) as house:
        database = house.data_dir / "parlour.sqlite"
    with sqlite3.connect(database) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%version%'")]
        connection.execute(f"UPDATE {tables[0]} SET version_num = '9999'")
    connection.close()

    assert "newer" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"PARLOUR_WEB__PORT": "99999"}, "PARLOUR_WEB__PORT"),
        ({"PARLOUR_WEB__PROT": "1"}, "PARLOUR_WEB__PROT"),
        ({"PARLOUR_DATABASE__URL": "mysql://127.0.0.1/x"}, "database.url"),
        ({"PARLOUR_TELEGRAM__TOKEN_FILE": "/nowhere/token"}, "PARLOUR_TELEGRAM__TOKEN_FILE"),
        ({"PARLOUR_ENGINE__KIND": "llamacpp", "PARLOUR_ENGINE__MODEL": "/nowhere/model.gguf"}, "/nowhere/model.gguf"),
        ({"PARLOUR_ENGINE__KIND": "openai", "PARLOUR_ENGINE__BASE_URL": "http://127.0.0.1:1/v1"}, "127.0.0.1:1"),
        ({"PARLOUR_DATABASE__URL": "postgresql://nobody@127.0.0.1:1/nothing"}, "127.0.0.1"),
        ({"PARLOUR_DATA_DIR": "/proc/parlour"}, "/proc/parlour"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, variables: dict[str, str], named: str) -> None:
    """One line with the setting or the value, and nothing else."""
    assert named in refusal(tmp_path, **variables)


@pytest.mark.parametrize(("content", "problem"), [(b"GGUF", "cut"), (b"<html>not a model</html>" * 1_000, "GGUF")])
def test_a_model_file_that_is_none_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    """Cut short, or of another kind: said so before anything crashes."""
    model = tmp_path / "model.gguf"
    model.write_bytes(content)

    line = refusal(tmp_path, PARLOUR_ENGINE__KIND="llamacpp", PARLOUR_ENGINE__MODEL=str(model))

    assert str(model) in line
    assert problem.lower() in line.lower()


@pytest.mark.parametrize("command", ["gateway", "worker", "scheduler"])
def test_a_production_process_needs_a_broker(tmp_path: Path, command: str) -> None:
    """Alone in its process it could reach nobody."""
    assert "PARLOUR_BROKER__URL" in refusal(tmp_path, command)
