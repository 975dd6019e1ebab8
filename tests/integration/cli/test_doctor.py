"""`parlour doctor` against real services and the fakes of messengers: one line each, and it changes nothing."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from parlour.cli import main
from parlour.privacy.audit import Deed, anchor, record
from parlour.settings import load
from parlour.store import schema
from parlour.store.connect import place_of
from parlour.store.database import Database
from parlour.store.models import Turn
from parlour.store.privacy_models import AuditEntry
from parlour.store.schema import Schema
from parlour.turns.ports import Address, Incoming, IncomingKind, Sender
from tests import services
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import FakeTelegram


@dataclass(frozen=True, slots=True)
class Report:
    """What one run said."""

    code: int
    states: dict[str, str]
    text: str


Doctor = Callable[..., Report]


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Runs it in an empty folder with the echo engine and these settings: `doctor(web__port="1")`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **settings: str) -> Report:
        with monkeypatch.context() as environment:
            environment.setenv("PARLOUR_ENGINE__KIND", "echo")
            for name, value in settings.items():
                environment.setenv(f"PARLOUR_{name.upper()}", value)
            with pytest.raises(SystemExit) as end:
                main.run(["doctor", "--json", *arguments])
        text = capsys.readouterr().out
        return Report(int(end.value.code or 0), {row["check"]: row["state"] for row in json.loads(text)}, text)

    return run


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with FakeTelegram() as server:
        yield server


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as server:
        yield server


def prepared(tmp_path: Path) -> None:
    """What a first start leaves in the data folder."""
    from parlour.bootstrap import platform  # noqa: PLC0415 (keeps this module's collection quick)

    with platform(load({}, data_dir=tmp_path / "parlour-data"), is_migrating=True) as parts:
        parts.accounts.register("terminal", "me", "me")


def test_an_empty_folder_is_no_problem_and_stays_empty(doctor: Doctor, tmp_path: Path) -> None:
    report = doctor()

    assert report.code == 0
    assert report.states["database"] == "note"
    assert report.states["broker"] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_after_the_first_start_all_is_well(doctor: Doctor, tmp_path: Path) -> None:
    prepared(tmp_path)

    report = doctor("--deep")

    assert report.code == 0
    checked = ("database", "key store", "keys", "audit log", "turns", "engine")
    assert {check: report.states[check] for check in checked} == dict.fromkeys(checked, "ok")


def test_a_missing_key_file_over_existing_data_is_told_and_not_made_anew(doctor: Doctor, tmp_path: Path) -> None:
    prepared(tmp_path)
    key_file = tmp_path / "parlour-data" / "keys" / "master.key"
    key_file.unlink()

    report = doctor()

    assert report.code == 1
    assert report.states["keys"] == "problem"
    assert not key_file.exists()


def test_a_key_file_of_another_installation_is_told(doctor: Doctor, tmp_path: Path) -> None:
    prepared(tmp_path)
    prepared(tmp_path / "other")
    key_file = tmp_path / "parlour-data" / "keys" / "master.key"
    key_file.write_bytes((tmp_path / "other" / "parlour-data" / "keys" / "master.key").read_bytes())

    report = doctor()

    assert report.code == 1
    assert report.states["keys"] == "problem"


def test_an_audit_log_that_was_cut_is_told(doctor: Doctor, tmp_path: Path) -> None:
    from parlour.bootstrap import platform  # noqa: PLC0415 (keeps this module's collection quick)

    prepared(tmp_path)
    with platform(load({}, data_dir=tmp_path / "parlour-data")) as parts:
        with parts.database.begin() as session:
            record(session, parts.privacy, Deed("command:test", "did", "thing"), now=parts.clock.now())
        anchor(parts.database, parts.privacy)
        with parts.database.begin() as session:
            session.execute(delete(AuditEntry))

    report = doctor()

    assert report.code == 1
    assert (report.states["keys"], report.states["audit log"]) == ("ok", "problem")


def test_a_wrong_setting_is_all_there_is_to_say(doctor: Doctor) -> None:
    report = doctor(web__port="many")

    assert report.code == 1
    assert report.states == {"settings": "problem"}
    assert "PARLOUR_WEB__PORT" in report.text


def test_production_services_are_reached(doctor: Doctor, postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    schema.upgrade(postgres_url, Schema.CONTENT)

    report = doctor(database__url=postgres_url, broker__url=redis_url, data_dir=str(tmp_path))

    assert {name: report.states[name] for name in ("database", "broker", "live bus")} == {
        "database": "ok",
        "broker": "ok",
        "live bus": "ok",
    }


def test_rabbitmq_is_reached(doctor: Doctor, rabbitmq_url: str) -> None:
    report = doctor(broker__url=rabbitmq_url)

    assert report.states["broker"] == "ok"
    assert report.states["live bus"] == "note"


@pytest.mark.parametrize(
    ("setting", "scheme", "check"),
    [
        ("broker__url", "redis://me:hunter2@127.0.0.1:{port}/0", "broker"),
        ("broker__url", "amqp://me:hunter2@127.0.0.1:{port}/", "broker"),
        ("bus__url", "redis://me:hunter2@127.0.0.1:{port}/0", "live bus"),
        ("database__url", "postgresql://me:hunter2@127.0.0.1:{port}/x", "database"),
        ("keys__url", "postgresql://me:hunter2@127.0.0.1:{port}/x", "key store"),
    ],
)
def test_a_service_that_is_away_is_a_problem_and_its_password_is_not_shown(
    doctor: Doctor, setting: str, scheme: str, check: str
) -> None:
    report = doctor(**{setting: scheme.format(port=services.free_port())})

    assert report.code == 1
    assert report.states[check] == "problem"
    assert "hunter2" not in report.text


def test_a_database_of_a_newer_version_is_told(doctor: Doctor, tmp_path: Path, sqlite_url: str) -> None:
    schema.upgrade(sqlite_url, Schema.CONTENT)
    database = Database(sqlite_url)
    with database.begin() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()

    report = doctor(database__url=sqlite_url)

    assert report.code == 1
    assert report.states["database"] == "problem"
    assert place_of(sqlite_url) in report.text


def test_a_model_that_is_not_there_is_told_with_the_remedy(doctor: Doctor, tmp_path: Path) -> None:
    report = doctor(engine__kind="llamacpp", engine__model="no-such-model", engine__models_dir=str(tmp_path))

    assert report.code == 1
    assert report.states["model"] == "problem"
    assert "parlour model pull no-such-model" in report.text


def test_telegrams_token_is_checked(doctor: Doctor, telegram: FakeTelegram) -> None:
    right = doctor(telegram__token=telegram.token, telegram__base_url=telegram.base_url)
    wrong = doctor(telegram__token="1:wrong-token", telegram__base_url=telegram.base_url)

    assert (right.code, right.states["telegram"]) == (0, "ok")
    assert (wrong.code, wrong.states["telegram"]) == (1, "problem")
    assert telegram.token not in right.text
    assert "wrong-token" not in wrong.text


def test_slacks_tokens_are_checked(doctor: Doctor, slack: FakeSlack) -> None:
    base = {"slack__base_url": slack.base_url, "slack__app_token": slack.app_token}
    right = doctor(slack__bot_token=slack.bot_token, **base)
    wrong = doctor(slack__bot_token="xoxb-wrong", **base)

    assert (right.code, right.states["slack"]) == (0, "ok")
    assert wrong.code == 1
    assert slack.bot_token not in right.text
    assert "xoxb-wrong" not in wrong.text


def test_a_messenger_out_of_reach_is_told(doctor: Doctor) -> None:
    away = f"http://127.0.0.1:{services.free_port()}/bot"

    report = doctor(telegram__token="1:token-marker", telegram__base_url=away)

    assert report.states["telegram"] == "problem"
    assert "token-marker" not in report.text


def test_stuck_work_is_a_problem_with_its_id_and_remedy(doctor: Doctor, database_url: str, tmp_path: Path) -> None:
    from parlour.bootstrap import platform  # noqa: PLC0415 (keeps this module's collection quick)

    folder = tmp_path / "parlour-data"
    settings = load({}, data_dir=folder, database={"url": database_url}, access={"policy": "open"})
    with platform(settings, is_migrating=True) as parts:
        account_id = parts.accounts.register("terminal", "me", "me")
        now = parts.clock.now()
        taken = parts.intake.receive(
            Incoming(
                account_id=account_id,
                event_id="1",
                kind=IncomingKind.MESSAGE,
                address=Address("chat", is_private=True),
                sender=Sender("ann", "Ann"),
                text="a secret question",
                message_key="1",
                sent_at=now,
            )
        )
        before = doctor(database__url=database_url, data_dir=str(folder))
        with parts.database.begin() as session:
            session.execute(update(Turn).values(received_at=now - timedelta(minutes=6)))
    after = doctor(database__url=database_url, data_dir=str(folder))

    assert (before.code, before.states["stuck work"]) == (0, "ok")
    assert (after.code, after.states["stuck work"]) == (1, "problem")
    assert str(taken.turn_id) in after.text
    assert "parlour turn list --stuck" in after.text
    assert "secret" not in after.text
