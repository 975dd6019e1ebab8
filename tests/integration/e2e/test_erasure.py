"""G8: of somebody who wrote everywhere and was erased nothing is left, and nothing that a backup holds can be read."""

import base64
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import make_url, select

from parlour.bootstrap import platform
from parlour.privacy.erasure import Eraser
from parlour.privacy.models import DataKeyRow
from parlour.privacy.service import Privacy, open_privacy
from parlour.settings import Settings, load
from parlour.store import backup
from parlour.store.database import Database
from parlour.store.models import Attachment, Message
from parlour.store.privacy_models import Erasure
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import FakeTelegram
from tests.integration.e2e.conftest import slack_variables, telegram_variables
from tests.integration.e2e.keeper import keeper
from tests.integration.e2e.layouts import Layout, Start
from tests.processes import PARLOUR, until
from tests.services import PostgresDatabases, free_port
from tests.support.leaks import Place, find_bytes
from tests.support.remaining_keys import opened_by_any, values_of

ANN, BEN, KIM = 7, 8, 9
SLACK_ANN = "U7"
GROUP, AGENTS = -100_200, -100_300
BENS = "marker-of-ben-stays"


@dataclass
class World:
    """A running Parlour, all its messengers, and what Ann wrote into them."""

    house: Layout
    telegram: FakeTelegram
    slack: FakeSlack
    browser: httpx.Client
    written: set[str] = field(default_factory=set)
    passing: set[str] = field(default_factory=set)

    def marked(self, where: str, *, is_kept: bool = True) -> str:
        """Something to write in one place, found again wherever it comes to stand."""
        marker = f"marker-{where}-{uuid4().hex[:8]}"
        (self.written if is_kept else self.passing).add(marker)
        return marker

    def until(self, condition: Any) -> Any:
        """Wait for it, telling what was printed where it does not come."""
        return until(condition, timeout_s=120, told=lambda: self.house.output[-3_000:])

    # ---- Telegram ----

    def tell(self, text: str, answer: str) -> None:
        """Ann writes to the bot in Telegram, and is answered with that somewhere in it."""
        before = len(self.telegram.texts(ANN))
        self.telegram.say(ANN, text)
        self.until(lambda: any(answer in one for one in self.telegram.texts(ANN)[before:]))

    def link_code(self) -> str:
        """The code to type in another messenger."""
        before = len(self.telegram.texts(ANN))
        self.telegram.say(ANN, "/link")
        said = self.until(lambda: self.telegram.texts(ANN)[before:])[0]
        found = re.search(r"/link (\S+)", said)
        assert found, said
        return found[1].strip("`")

    # ---- Slack ----

    def tell_slack(self, text: str, answer: str, **more: Any) -> dict[str, Any]:
        """The same in Slack."""
        said: dict[str, Any] = self.slack.say(SLACK_ANN, text, **more)
        self.until(lambda: any(answer in one for one in self.slack.texts(said["channel"])))
        return said

    # ---- the web, the terminal ----

    def tell_web(self, text: str, answer: str, *files: tuple[str, str]) -> None:
        """The same in a browser."""
        before = len(self._web_answers())
        sent = [
            {"name": name, "type": "text/plain", "data": base64.b64encode(held.encode()).decode()}
            for name, held in files
        ]
        posted = self.browser.post("/chat/messages", json={"id": uuid4().hex, "text": text, "files": sent})
        assert posted.status_code == httpx.codes.OK, posted.text
        self.until(lambda: any(answer in one for one in self._web_answers()[before:]))

    def _web_answers(self) -> list[str]:
        said = self.browser.get("/chat/history").raise_for_status().json()["messages"]
        return [one["html"] for one in said if one["author"] != "user"]

    def tell_terminal(self, *lines: str, answer: str) -> None:
        """The same at this machine's terminal: line by line, as they are piped in."""
        command = [*PARLOUR, "chat"]
        told = "".join(f"{line}\n" for line in lines)
        done = subprocess.run(
            command, input=told, env=os.environ | self.house.environment, text=True, capture_output=True, check=True
        )
        assert answer in done.stdout, done.stdout + done.stderr


# Some hundred turns, commands and searches: on a machine that is busy with much else they take their time.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["embedded", "production"])
def test_nothing_is_left_of_a_person_who_wrote_everywhere(
    request: pytest.FixtureRequest, telegram: FakeTelegram, slack: FakeSlack, tmp_path: Path, kind: str
) -> None:
    """Each messenger, each kind of writing, each store of a skill; searched while it runs and after it ended."""
    start: Start = request.getfixturevalue(kind)
    port = free_port()
    with (
        start(**_variables(telegram, slack, tmp_path, port)) as house,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Origin": f"http://127.0.0.1:{port}"}, timeout=60
        ) as browser,
    ):
        world = World(house, telegram, slack, browser)
        _install(house, keeper(tmp_path / "skill"))
        _write_everywhere(world)
        _is_all_there(world)
        done = house.run("backup", "create", str(tmp_path / "backup"))
        assert done.popen.returncode == 0, done.output
        with _opened(house) as (_, privacy):
            wrapped = _wrapped(privacy)

        world.tell("/forgetme", "/forgetme yes")
        world.tell("/forgetme yes", "")
        with _opened(house) as (database, _):
            world.until(lambda: _erased(database))

        sought = world.written | world.passing
        places = [*_places(house), tmp_path / "backup", tmp_path / "temporary"]
        while_running = find_bytes(sought, *places, *_dumps(house))
        _ben_is_still_answered(world)

    assert while_running == []
    assert find_bytes(sought, *places, *_dumps(house), house.output.encode()) == []
    with _opened(house) as (database, privacy):
        erased = _erased(database)
        assert len(erased) == len(["telegram", "slack", "web", "terminal"])
        _keys_are_gone(house, [wrapped[one] for one in erased])
        _a_backup_tells_nothing(request, house, privacy, erased, tmp_path)


def _variables(telegram: FakeTelegram, slack: FakeSlack, folder: Path, port: int) -> dict[str, str]:
    (folder / "temporary").mkdir()
    return {
        **telegram_variables(telegram),
        **slack_variables(slack, "socket"),
        "PARLOUR_WEB__PORT": str(port),
        "PARLOUR_LOG__LEVEL": "debug",
        "PARLOUR_PERSONALISATION__IS_ON": "true",
        "PARLOUR_ACCESS__GROUPS": "always",
        "PARLOUR_HANDOFF__PLACE": f"telegram:{AGENTS}",
        "TMPDIR": str(folder / "temporary"),
    }


# ---- what Ann writes --------------------------------------------------------------------------------------------


def _write_everywhere(world: World) -> None:
    _in_telegram(world)
    _in_a_group(world)
    _in_slack(world)
    world.browser.get("/")
    world.tell_web(hello := world.marked("web"), hello)
    world.tell_web("look", "look", (f"{world.marked('web-name')}.txt", world.marked("web-file")))
    _as_one_person(world)
    _to_a_skill(world)
    _to_a_human(world)


def _in_telegram(world: World) -> None:
    world.telegram.do("meet", user=ANN, name=world.marked("name"))
    said = world.telegram.say(ANN, hello := world.marked("telegram"))
    world.until(lambda: any(hello in one for one in world.telegram.texts(ANN)))
    world.tell("/privacy yes", "I will remember")
    world.tell(f"/memory add I like {(liked := world.marked('profile'))}", liked)
    file = {"file_name": f"{world.marked('file-name')}.txt", "content": world.marked("file")}
    world.telegram.do("send_file", user=ANN, **file, caption=(caption := world.marked("caption")))
    world.until(lambda: any(caption in one for one in world.telegram.texts(ANN)))
    world.telegram.do("edit", user=ANN, message_id=said["message_id"], text=world.marked("edited", is_kept=False))
    world.tell(f"/nosuch {world.marked('command', is_kept=False)}", "do not know the command")


def _in_a_group(world: World) -> None:
    world.telegram.do("group", chat=GROUP, title="Garden")
    world.telegram.do("group", chat=AGENTS, title="Agents")
    for user, text in ((ANN, world.marked("group")), (BEN, BENS)):
        world.telegram.say(user, text, chat=GROUP, name="Ben" if user == BEN else None)
        world.until(lambda wanted=text: any(wanted in one for one in world.telegram.texts(GROUP)))


def _in_slack(world: World) -> None:
    said = world.tell_slack(hello := world.marked("slack"), hello)
    # An answer that is still being written has no thumbs under it.
    answer = world.until(
        lambda: next((one for one in world.slack.messages(said["channel"]) if "feedback_buttons" in str(one)), None)
    )
    world.slack.do("press", user=SLACK_ANN, channel=said["channel"], ts=answer["ts"], value="down")
    file = world.slack.do("add_file", name=f"{world.marked('slack-name')}.txt", content=world.marked("slack-file"))
    world.tell_slack(look := world.marked("slack-look"), look, files=[file["id"]])
    channel = world.slack.do("add_channel", channel="C1GENERAL")["channel"]
    world.tell_slack(f"<@{world.slack.bot_user_id}> {(asked := world.marked('slack-channel'))}", asked, channel=channel)


def _as_one_person(world: World) -> None:
    """Whoever linked several messengers is erased in all of them, with what they said before under other keys."""
    world.tell_slack(f"!link {world.link_code()} yes", "one person to me now")
    world.tell_web(f"/link {world.link_code()} yes", "one person to me now")
    link = f"/link {world.link_code()} yes"
    world.tell_terminal(world.marked("terminal"), link, world.marked("terminal-linked"), answer="one person to me now")
    world.tell_web(again := world.marked("web-linked"), again)


def _to_a_skill(world: World) -> None:
    before = len(world.telegram.files(ANN))
    world.telegram.say(ANN, f"/keep {world.marked('skill')}")
    world.until(lambda: len(world.telegram.files(ANN)) > before)
    world.tell_web(f"/keep {world.marked('skill-web')}", "Kept.")
    world.telegram.say(ANN, f"/stumble {world.marked('stumble')}")
    world.tell(f"/agent {world.marked('summary')}", "Somebody will come")


def _to_a_human(world: World) -> None:
    """What Ann says to a human stands where the humans are; what they answer stands in her conversation."""
    telegram = world.telegram

    def agents_read(part: str) -> bool:
        return any(part in text for text in telegram.texts(AGENTS))

    world.until(lambda: agents_read("asks for a person"))
    (request,) = telegram.messages(AGENTS)
    telegram.do("press", user=KIM, chat=AGENTS, message_id=request["message_id"], button=0)
    world.until(lambda: agents_read("has it") or agents_read("took") or len(telegram.texts(AGENTS)) > 1)
    telegram.say(ANN, told := world.marked("to-human"))
    world.until(lambda: agents_read(told))
    telegram.say(KIM, "It comes tomorrow.", chat=AGENTS, reply_to=request["message_id"])
    world.until(lambda: any("tomorrow" in text for text in telegram.texts(ANN)))
    telegram.say(KIM, "/done", chat=AGENTS, reply_to=request["message_id"])
    world.until(lambda: any("talking to the assistant again" in text for text in telegram.texts(ANN)))


def _is_all_there(world: World) -> None:
    """Before the erasure everything is held: her export opens it. So a search that finds nothing means something."""
    with _opened(world.house) as (database, _):
        world.until(lambda: not _waiting_files(database))
    before = len(world.telegram.files(ANN))
    world.telegram.say(ANN, "/export")
    _, content = world.until(lambda: world.telegram.files(ANN)[before:])[0]
    with zipfile.ZipFile(BytesIO(content)) as archive:
        held = archive.read("export.json").decode()
    assert [one for one in sorted(world.written) if one not in held] == []
    assert BENS not in held


def _ben_is_still_answered(world: World) -> None:
    world.telegram.say(BEN, "still there?")
    world.until(lambda: any("still there?" in text for text in world.telegram.texts(BEN)))


# ---- where it is looked for -------------------------------------------------------------------------------------


def _places(house: Layout) -> list[Place]:
    """Data folder with SQLite files, logs, keys, broker's folders and skills; or the servers in their place."""
    environment = house.environment
    names = ("PARLOUR_DATABASE__URL", "PARLOUR_KEYS__URL", "PARLOUR_BROKER__URL")
    settings = _settings(house)
    urls = {environment[name] for name in names if name in environment} | {settings.database_url, settings.keys_url}
    return [house.data_dir, *urls]


def _dumps(house: Layout) -> list[bytes]:
    """What PostgreSQL's own tool reads out of its databases."""
    settings = _settings(house)
    urls = [url for url in (settings.database_url, settings.keys_url) if url.startswith("postgresql")]
    return [_dump(url) for url in urls]


def _dump(url: str) -> bytes:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.run(["pg_dump", "--dbname", plain], check=True, capture_output=True).stdout


def _keys_are_gone(house: Layout, wrapped: Sequence[bytes]) -> None:
    """The wrapped keys themselves: from rows, files, write-ahead logs and dumps."""
    files = [path.read_bytes() for path in house.data_dir.rglob("*") if path.is_file()]
    for key in wrapped:
        assert not any(key in content for content in files)
        assert not any(key.hex().encode() in content for content in _dumps(house))


def _a_backup_tells_nothing(
    request: pytest.FixtureRequest, house: Layout, privacy: Privacy, erased: set[UUID], folder: Path
) -> None:
    """Brought back beside the key store that remains: everything of Ann is in it and no key opens it."""
    (content,) = backup.find_backups(folder / "backup")
    url = f"sqlite:///{folder / 'restored.sqlite'}"
    if content.manifest.kind == "postgresql":
        databases: PostgresDatabases = request.getfixturevalue("postgres_databases")
        url = databases.create()
    backup.restore(content, url)
    with closing(Database(url)) as restored:
        hers = values_of(restored, erased)
        assert {value.place for value in hers} >= {
            "messages.body",
            "attachments.content",
            "profile_entries.body",
            "skill_documents.body",
            "subscriptions.topic",
            "identities.name",
            "deliveries.external_keys",
        }
        assert opened_by_any(privacy, hers) == []
        # The same search opens what is Ben's: it would have opened hers.
        with restored.read() as session:
            others = set(session.scalars(select(Message.user_id).where(Message.user_id.not_in(erased))))
        assert opened_by_any(privacy, values_of(restored, others))

        Eraser(database=restored, privacy=privacy).resume()

        assert values_of(restored, erased) == []


# ---- the installation, seen from here ---------------------------------------------------------------------------


def _settings(house: Layout) -> Settings:
    return load(house.environment)


@contextmanager
def _opened(house: Layout) -> Iterator[tuple[Database, Privacy]]:
    """Its databases and the keys that remain."""
    settings = _settings(house)
    with (
        closing(Database(settings.database_url)) as database,
        closing(open_privacy(content=database, keys_url=settings.keys_url, key_file=settings.key_file)) as privacy,
    ):
        yield database, privacy


def _wrapped(privacy: Privacy) -> dict[UUID, bytes]:
    with privacy.key_store.read() as session:
        rows = session.execute(select(DataKeyRow.subject_id, DataKeyRow.wrapped)).all()
    return {subject: wrapped for subject, wrapped in rows if wrapped is not None}


def _waiting_files(database: Database) -> Sequence[UUID]:
    """Which were announced by a messenger and are still to be fetched."""
    with database.read() as session:
        return session.scalars(select(Attachment.id).where(Attachment.state == "waiting")).all()


def _erased(database: Database) -> set[UUID]:
    """Whose erasure is finished."""
    with database.read() as session:
        return set(session.scalars(select(Erasure.subject_id).where(Erasure.finished_at.is_not(None))))


def _install(house: Layout, folder: Path) -> None:
    with platform(_settings(house)) as parts:
        book = parts.skills.book(parts.accounts.ensure_workspace())
        offer = book.offer(folder)
        book.install(offer, granted=offer.new_grants)
