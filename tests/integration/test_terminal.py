"""Terminals: the local HTTP interface, and the real `parlour chat` command on a pseudo-terminal and through pipes."""

import asyncio
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from parlour.channels.mailbox import Beat, Event, Waiting
from parlour.channels.talk import TalkBroken, folder_id
from parlour.channels.terminal import TerminalChannel
from parlour.channels.terminal_api import API
from parlour.channels.terminal_remote import RemoteTalk
from parlour.cli.saving import Files
from parlour.cli.talking import Talking
from parlour.sdk.replies import Button
from parlour.store.ids import AttachmentId, new_id
from parlour.turns.ports import IncomingKind, Verdict
from parlour.turns.said import FileView, Said
from tests.fakes.gateway import FakeGateway, serving
from tests.fakes.talk import FakeClock, FakeTalk, Script

TOKEN = "a-token-of-the-data-folder"
DEADLINE_S = 60


@pytest.fixture
def talk() -> FakeTalk:
    return FakeTalk(script=Script({"hello": "Hello **you**, `friend`."}))


@pytest.fixture
def gateway(talk: FakeTalk) -> Iterator[FakeGateway]:
    channel = TerminalChannel(
        history=talk, bus=talk.bus, sealer=talk.sealer, clock=FakeClock(), folder="f0", token=TOKEN
    )
    with serving([channel], talk) as gateway:
        yield gateway


@pytest.fixture
async def remote(gateway: FakeGateway) -> AsyncIterator[RemoteTalk]:
    async with RemoteTalk(gateway.url, TOKEN, "ann") as remote:
        yield remote


async def _rich(talk: FakeTalk, remote: RemoteTalk) -> Said:
    """An answer with a file and a button, as it comes to a terminal."""
    talk.script = None
    taken = await remote.say("report", client_id="0123456789abcdef")
    assert taken.turn_id
    report = talk.enclose(taken.turn_id, FileView("report.csv", "text/csv", b"a,b"), words="[report.csv, 3 bytes]")
    talk.answer(taken.turn_id, "Here.", enclosures=(report,), buttons=(Button("More", "/more"),), closing="Next?")
    return (await remote.recent(limit=5))[-1]


async def test_files_and_buttons_come_to_a_terminal(talk: FakeTalk, remote: RemoteTalk) -> None:
    said = await _rich(talk, remote)

    file = await remote.file(said.enclosures[0].id)
    assert file is not None
    assert file.content == b"a,b"
    assert await remote.file(AttachmentId(new_id())) is None
    assert (said.closing, said.buttons[0].says) == ("Next?", "/more")


async def test_a_file_is_written_where_the_person_says_and_over_no_other(
    talk: FakeTalk, remote: RemoteTalk, tmp_path: Path
) -> None:
    said = await _rich(talk, remote)
    with start_blocking_portal() as portal:
        files = Files(Talking(_Fetched(await remote.file(said.enclosures[0].id)), portal))

        shown = files.in_words(said)
        words = [files.save(f"1 {tmp_path}"), files.save(f"1 {tmp_path}"), files.save(f"1 {tmp_path / 'report.csv'}")]
        unknown = files.save("7")

    assert "(report.csv, 3 bytes: `/save 1`)" in shown
    assert "- More: `/more`" in shown
    assert words[:2] == [f"Written: {tmp_path / 'report.csv'}", f"Written: {tmp_path / 'report-2.csv'}"]
    assert words[2].startswith("Not written:")
    assert unknown.endswith("Files: 1: report.csv")
    assert (tmp_path / "report.csv").read_bytes() == b"a,b"
    assert (tmp_path / "report.csv").stat().st_mode & 0o077 == 0


class _Fetched(RemoteTalk):
    """A conversation of which one file is known already."""

    def __init__(self, file: FileView | None) -> None:
        self._file = file

    async def file(self, file_id: AttachmentId) -> FileView | None:
        return self._file


async def _news(events: AsyncIterator[Event]) -> Event:
    while True:
        event = await asyncio.wait_for(anext(events), DEADLINE_S)
        if not isinstance(event, Beat):
            return event


# ---- over HTTP --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "turns"), ("POST", "stop"), ("GET", "history"), ("GET", "events")]
)
def test_without_the_folders_token_nothing_is_told_or_done(
    gateway: FakeGateway, talk: FakeTalk, header: dict[str, str], method: str, path: str
) -> None:
    body = {"user": "ann", "id": "0123456789", "text": "hello"}

    answer = httpx.request(
        method,
        f"{gateway.url}{API}/{path}",
        headers=header,
        json=body if method == "POST" else None,
        timeout=DEADLINE_S,
    )

    assert answer.status_code == 401
    assert talk.received == []


async def test_what_is_said_over_http_is_streamed_and_kept(remote: RemoteTalk, talk: FakeTalk) -> None:
    events = remote.follow()
    assert await _news(events) == Waiting(())

    taken = await remote.say("hello", client_id="0123456789")
    while not (isinstance(told := await _news(events), Said) and told.author == "assistant"):
        pass

    assert taken.verdict is Verdict.ACCEPTED
    assert told.text == "Hello **you**, `friend`."
    assert [said.text for said in await remote.recent(limit=5)] == ["hello", "Hello **you**, `friend`."]
    assert talk.received[0].sender.external_id == "ann@f0"


async def test_the_same_message_again_is_a_duplicate(remote: RemoteTalk) -> None:
    first = await remote.say("hello", client_id="0123456789")
    second = await remote.say("hello", client_id="0123456789")

    assert second.verdict is Verdict.DUPLICATE
    assert second.turn_id == first.turn_id


async def test_another_user_of_the_machine_has_another_conversation(remote: RemoteTalk, gateway: FakeGateway) -> None:
    await remote.say("hello", client_id="0123456789")

    async with RemoteTalk(gateway.url, TOKEN, "bob") as other:
        assert await other.recent(limit=5) == []


async def test_a_stop_reaches_the_running_answer(remote: RemoteTalk, talk: FakeTalk) -> None:
    await remote.say("count", client_id="0123456789")

    await remote.stop()

    assert talk.received[-1].kind is IncomingKind.STOP
    async with asyncio.timeout(DEADLINE_S):
        while len(await remote.recent(limit=5)) < 2:
            pass


async def test_a_database_that_is_away_is_told_as_such(remote: RemoteTalk, talk: FakeTalk) -> None:
    talk.is_down = True

    with pytest.raises(TalkBroken, match="cannot use its database"):
        await remote.say("hello", client_id="0123456789")


async def test_a_gateway_that_stopped_is_told_as_such(remote: RemoteTalk, gateway: FakeGateway) -> None:
    gateway.stop()

    with pytest.raises(TalkBroken, match="does not answer"):
        await remote.say("hello", client_id="0123456789")


async def test_the_local_interface_stands_in_openapi(gateway: FakeGateway) -> None:
    async with httpx.AsyncClient(timeout=DEADLINE_S) as client:
        paths = (await client.get(f"{gateway.url}{API}/openapi.json")).json()["paths"]

    assert {f"{API}/{name}" for name in ("turns", "stop", "history", "events")} <= set(paths)


def test_a_data_folder_has_one_id_of_its_own(tmp_path: Path) -> None:
    assert folder_id(tmp_path) == folder_id(tmp_path)
    assert (tmp_path / "terminal.id").stat().st_mode & 0o777 == 0o600


# ---- the command, beside a running gateway ----------------------------------------------------------------------


@pytest.fixture
def environment(gateway: FakeGateway, tmp_path: Path) -> dict[str, str]:
    return {**_beside(tmp_path, gateway.url), "TERM": "xterm-256color"}


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "parlour", "chat", *arguments]


def _run(environment: dict[str, str], *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        _command(*arguments), env=environment, capture_output=True, timeout=DEADLINE_S, check=False, **options
    )


def test_once_prints_the_answer_alone_and_plain(environment: dict[str, str]) -> None:
    done = _run(environment, "--once", "hello")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"Hello **you**, `friend`.\n", b"")


def test_once_shows_what_a_command_answers(environment: dict[str, str]) -> None:
    done = _run(environment, "--once", "/help")

    assert (done.returncode, done.stdout) == (0, b"You asked for **help**.\n")


def test_once_ends_with_a_reason_when_there_is_no_answer(environment: dict[str, str], talk: FakeTalk) -> None:
    talk.is_down = True

    done = _run(environment, "--once", "hello")

    assert done.returncode == 1
    assert done.stdout == b""
    assert b"cannot use its database" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_once_gives_up_when_nobody_answers(environment: dict[str, str], talk: FakeTalk) -> None:
    talk.script = None

    done = _run(environment, "--once", "hello", "--wait", "1")

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"No answer came. Is a worker running?" in done.stderr


def test_new_starts_afresh_before_the_message(environment: dict[str, str], talk: FakeTalk) -> None:
    done = _run(environment, "--new", "--once", "hello")

    assert (done.returncode, done.stdout) == (0, b"Hello **you**, `friend`.\n")
    assert [incoming.text for incoming in talk.received] == ["new", "hello"]


def test_piped_lines_are_answered_one_after_the_other_without_any_escape_code(environment: dict[str, str]) -> None:
    done = _run(environment, input="one\n\n二\n/quit\nthree\n".encode())

    assert done.returncode == 0
    assert done.stdout.decode() == "You said: one\nYou said: 二\n"


def test_an_output_that_cannot_say_a_character_gets_a_question_mark(environment: dict[str, str]) -> None:
    done = _run({**environment, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}, "--once", "caf\u00e9 二")

    assert (done.returncode, done.stdout) == (0, b"You said: caf? ?\n")


def test_input_that_is_not_text_is_read_as_far_as_it_is(environment: dict[str, str]) -> None:
    done = _run(environment, input=b"caf\xe9\n")

    assert done.returncode == 0
    assert done.stdout.decode() == "You said: caf\ufffd\n"


class Terminal:
    """A person at a pseudo-terminal."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.seen = ""
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            _command(), env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def press_ctrl_c(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def read_until(self, pattern: str) -> str:
        """What came since, up to the pattern."""
        deadline = time.monotonic() + DEADLINE_S
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < deadline, self.seen
            self._read(0.5)
        before, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return before

    def wait(self) -> int:
        assert self.ends_within(DEADLINE_S), self.seen
        return self.process.wait()

    def ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                return False
            self._read(0.1)
        return True

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def _read(self, timeout_s: float) -> None:
        if select.select([self._master], [], [], timeout_s)[0]:
            try:
                self.seen += os.read(self._master, 65536).decode("utf-8", "replace")
            except OSError:  # the other side closed
                time.sleep(0.05)


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Terminal]:
    with closing(Terminal(environment)) as terminal:
        terminal.read_until("leave[^>]*> ")
        yield terminal


def test_a_terminal_draws_markdown(terminal: Terminal) -> None:
    terminal.type("hello\n")

    shown = terminal.read_until("friend")
    terminal.read_until("> $")
    terminal.type("\x04")

    assert "\x1b[1m" in shown
    assert terminal.wait() == 0


def test_ctrl_c_stops_the_answer_and_the_talk_goes_on(terminal: Terminal, talk: FakeTalk) -> None:
    terminal.type("count\n")
    terminal.read_until("4 5 6")

    terminal.press_ctrl_c()
    terminal.read_until("> $")
    terminal.type("hello\n")
    terminal.read_until("friend")
    terminal.read_until("> $")
    terminal.type("/quit\n")

    assert terminal.wait() == 0
    assert IncomingKind.STOP in [incoming.kind for incoming in talk.received]


def test_ctrl_c_at_the_prompt_leaves(terminal: Terminal) -> None:
    terminal.press_ctrl_c()
    # Python's readline notices a signal by the wait that it interrupts: one that comes between the prompt and that wait
    # is lost, and whoever pressed too soon presses again.
    if not terminal.ends_within(30):
        terminal.press_ctrl_c()

    assert terminal.wait() == 0


def test_what_was_said_is_shown_when_the_terminal_comes_back(terminal: Terminal, environment: dict[str, str]) -> None:
    terminal.type("hello\n")
    terminal.read_until("friend")
    terminal.read_until("> $")
    terminal.type("\x04")
    terminal.wait()

    with closing(Terminal(environment)) as second:
        shown = second.read_until("/help for commands")
        second.type("\x04")

    assert "friend" in shown


# ---- the command, with nothing running --------------------------------------------------------------------------


def test_on_its_own_the_command_answers_from_its_own_process(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARLOUR_")}
    environment = {**kept, "PARLOUR_DATA_DIR": str(tmp_path / "data"), "PARLOUR_ENGINE__KIND": "echo"}

    done = _run(environment, "--once", "hello *there*")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello *there*\n", b"")


def test_a_note_left_behind_by_a_dead_process_is_no_hindrance(tmp_path: Path) -> None:
    done = _run(_beside(tmp_path, "http://127.0.0.1:9"), "--once", "hello")

    assert (done.returncode, done.stdout) == (0, b"hello\n")


def test_an_up_that_is_too_busy_to_answer_at_once_still_has_its_folder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        environment = _beside(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}")
        chat = subprocess.Popen(
            _command("--once", "hello"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with listener.accept()[0]:  # whether it is there: no answer comes
            listener.accept()[0].close()  # the conversation itself
            shown, problem = chat.communicate(timeout=DEADLINE_S)

    assert (chat.returncode, shown) == (1, b"")
    assert b"The running parlour up does not answer" in problem


def _beside(folder: Path, url: str) -> dict[str, str]:
    """The environment of a command on a data folder whose `parlour up` left word that it is there."""
    (folder / "run").mkdir()
    (folder / "run" / "up.json").write_text(json.dumps({"url": url, "token": TOKEN}))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARLOUR_")}
    return {**kept, "PARLOUR_DATA_DIR": str(folder), "PARLOUR_ENGINE__KIND": "echo"}
