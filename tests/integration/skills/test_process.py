"""A skill in its own process: what goes to and fro, and that a broken one harms nobody but itself."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parlour.sdk import Text
from parlour.sdk.errors import TooMuch
from parlour.skills.errors import SkillBroke, SkillFailed, SkillTimedOut
from parlour.skills.process import Run, SkillProcess, Work, write
from tests.processes import until
from tests.support.skills import FakeDesk, launch, running, said, turn

ECHO = """
@skill.answers("Hello")
async def answer(turn: Turn):
    return turn.text
"""


def test_a_skill_answers_from_a_process_of_its_own(tmp_path: Path) -> None:
    with running(tmp_path, ECHO) as process:
        assert said(process, "hello there 你好 \ud800") == "hello there 你好 \ud800"


def test_calls_of_capabilities_are_answered_by_the_host(tmp_path: Path) -> None:
    body = """
@skill.answers("Hello")
async def answer(turn: Turn, mine: UserStore):
    one = await mine.put("plant", {"name": turn.text})
    return f"{one} {await mine.get('plant', one)}"
"""
    desk = FakeDesk({"UserStore.put": lambda **_: "id-1", "UserStore.get": lambda **_: {"name": "ficus"}})

    with running(tmp_path, body) as process:
        assert said(process, "ficus", desk) == "id-1 {'name': 'ficus'}"

    assert desk.calls == [
        ("UserStore.put", {"kind": "plant", "document": {"name": "ficus"}, "id": None}),
        ("UserStore.get", {"kind": "plant", "id": "id-1"}),
    ]


def test_a_refusal_reaches_the_skill_as_an_exception_it_can_catch(tmp_path: Path) -> None:
    body = """
@skill.answers("Hello")
async def answer(mine: UserStore):
    try:
        await mine.all("plant")
    except NotGranted as error:
        return str(error)
"""
    with running(tmp_path, body) as process:
        assert said(process) == "UserStore.all is not granted."


HOST = """
import sys, time
from pathlib import Path
from parlour.skills.process import SkillProcess, Work
from tests.support.skills import FakeDesk, launch, turn

process = SkillProcess(launch(Path(sys.argv[1]), sys.argv[2]))
next(iter(process.begin(Work("answers:answer", turn()), FakeDesk(), timeout_s=600)))
print(process.pid, flush=True)
time.sleep(600)
"""


def test_a_skill_that_hangs_does_not_outlive_a_host_that_was_killed(tmp_path: Path) -> None:
    body = """
import time

@skill.answers("Hello")
async def answer():
    yield "begun"
    time.sleep(600)
"""
    command = [sys.executable, "-c", HOST, str(tmp_path), body]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        told = Path(f"/proc/{int(host.stdout.readline())}/cmdline")
        assert b"parlour.sdk.process" in told.read_bytes()
        host.kill()

    def is_gone() -> bool:
        try:
            # A dead one that nobody has asked after yet has no command line.
            return not told.read_bytes()
        except OSError:
            return True

    until(is_gone, timeout_s=60)


def test_a_streamed_answer_comes_piece_by_piece(tmp_path: Path) -> None:
    body = """
@skill.answers("Hello")
async def answer(turn: Turn, model: Model):
    async for piece in model.stream(turn):
        yield piece
"""
    seen_first = threading.Event()

    def pieces(**_: Any) -> Iterator[str]:
        yield "one "
        # Goes on only once the first piece has come out at the other end.
        assert seen_first.wait(60)
        yield "two"

    with (
        running(tmp_path, body) as process,
        process.begin(Work("answers:answer", turn()), FakeDesk({"Model.stream": pieces}), timeout_s=60) as run,
    ):
        replies = iter(run)
        first = next(replies)
        seen_first.set()

        assert [first, *replies] == [Text("one "), Text("two")]


def test_a_tools_value_comes_back(tmp_path: Path) -> None:
    body = '''
@skill.tool
async def add(one: int, two: int):
    """Add."""
    return {"sum": one + two}
'''
    with running(tmp_path, body) as process:
        work = Work("tool:add", turn(), arguments={"one": 1, "two": 2})
        with process.begin(work, FakeDesk(), timeout_s=60) as run:
            assert list(run) == []
            assert run.value == {"sum": 3}


def test_many_runs_go_side_by_side(tmp_path: Path) -> None:
    body = """
@skill.answers("Hello")
async def answer(turn: Turn, clock: Clock):
    await clock.sleep(0.05)
    return turn.text
"""
    answers: dict[int, str] = {}

    with running(tmp_path, body) as process:

        def ask(number: int) -> None:
            answers[number] = said(process, f"text {number}")

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert answers == {number: f"text {number}" for number in range(20)}


def test_what_the_skill_raises_is_told_by_class_and_place_and_not_by_content(tmp_path: Path) -> None:
    body = """
@skill.answers("Hello")
async def answer(turn: Turn):
    raise ValueError(turn.text)
"""
    with running(tmp_path, body) as process:
        with pytest.raises(SkillFailed, match=r"ValueError at tried_\d+\.py:8") as failed:
            said(process, "MARKER")

        assert "MARKER" not in str(failed.value)
        assert process.is_alive


# ---- a broken one -----------------------------------------------------------------------------------------------

BROKEN = {
    "crashes": "os._exit(7)",
    "runs out of memory": "bytearray(10**12); [bytearray(10**8) for _ in range(10**4)]",
    "answers without end": "\n    while True: yield 'x' * 100_000",
    "sends an oversized frame": "import socket; s = _line(); s.send(b'\\xff' * 100)",
    "sends nonsense": "s = _line(); s.send(b'\\0\\0\\0\\1\\xc1')",
    "sends what is no map": "s = _line(); s.send(b'\\0\\0\\0\\1\\x07')",
    "sends a pickle": "p = pickle.dumps(7); _line().send(len(p).to_bytes(4, 'big') + p)",
    "speaks in another's run": "_send({'is': 'reply', 'run': 'f' * 32, 'value': {}})",
    "replays a call": "run = _run(); [_call(run, 1) for _ in 'ab']",
    "greets twice with a bigger manifest": "_send({'is': 'hello', 'manifest': {}, 'protections': {}})",
    "sends a reply that is none": "_send({'is': 'reply', 'run': _run(), 'value': {'is': 'text', 'markdown': 7}})",
    "floods calls": "run = _run(); [_call(run, n) for n in range(1, 10_002)]",
}  # fmt: skip
INSIDE = """
import gc, pickle, socket
from parlour.sdk import wire
def _line():
    return next(one for one in gc.get_objects() if type(one) is socket.socket and one.fileno() == FD)
def _run():
    from parlour.sdk.process import _Run
    return next(one._name for one in gc.get_objects() if type(one) is _Run and one._name)
def _send(message):
    _line().setblocking(True)
    _line().sendall(wire.frame(message))
def _call(run, number):
    _send({"is": "call", "run": run, "call": number, "capability": "Clock", "method": "x", "arguments": {}})
import json
FD = json.loads(sys.argv[2])["socket"] if len(sys.argv) > 2 and sys.argv[2].startswith("{") else -1
@skill.answers("Hello")
async def answer(turn: Turn):
    if turn.text == "hello": return
    return
@skill.answers("Break")
async def broken(turn: Turn):
    """


@pytest.mark.parametrize("how", BROKEN)
def test_a_skill_that_misbehaves_is_ended_and_the_turn_is_told(tmp_path: Path, how: str) -> None:
    with running(tmp_path, INSIDE + BROKEN[how] + "\n    await asyncio.sleep(30)\n") as process:
        with pytest.raises((SkillBroke, SkillFailed)):
            said(process, handler="answers:broken")

        if how != "runs out of memory":
            assert not process.is_alive


def test_a_skill_that_waits_too_long_is_cancelled_and_lives_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # It notices at once that it is cancelled, where it gets a core.
    monkeypatch.setattr("parlour.skills.process._CANCEL_PATIENCE_S", 60.0)
    body = """
@skill.answers("Hello")
async def answer(turn: Turn, clock: Clock):
    await clock.sleep(0 if turn.text == "quick" else 600)
    return "done"
"""
    with running(tmp_path, body) as process:
        with pytest.raises(SkillTimedOut):
            said(process, "slow", timeout_s=0.2)

        assert said(process, "quick") == "done"


def test_a_skill_that_hangs_is_ended(tmp_path: Path) -> None:
    body = """
@skill.answers("Hello")
async def answer():
    while True: pass
"""
    with running(tmp_path, body) as process:
        with pytest.raises(SkillTimedOut):
            said(process, timeout_s=0.2)

        assert not process.is_alive


def _begun(process: SkillProcess) -> Run:
    return process.begin(Work(handler="answers:answer", turn=turn()), FakeDesk(), timeout_s=60)


def test_whoever_stops_a_run_does_not_wait_for_a_skill_that_reads_nothing(tmp_path: Path) -> None:
    with running(tmp_path, ECHO) as process, _begun(process) as run:
        # As when somebody else is sending to a skill whose line is full.
        with process._sending:
            run.cancel()

        assert list(run) == []


def test_what_a_skill_reads_byte_by_byte_is_not_waited_for_either() -> None:
    ours, theirs = socket.socketpair()
    is_over = threading.Event()

    def dribble() -> None:
        while not is_over.wait(0.001) and theirs.recv(1):
            pass

    reader = threading.Thread(target=dribble)
    reader.start()
    try:
        with pytest.raises(TimeoutError):
            write(ours, b"x" * 9_000_000, timeout_s=0.3)
    finally:
        is_over.set()
        ours.close()
        reader.join()
        theirs.close()


def test_a_run_can_be_stopped_from_another_thread(tmp_path: Path) -> None:
    body = """
@skill.answers("Hello")
async def answer(clock: Clock):
    yield "begun"
    await clock.sleep(600)
"""
    with (
        running(tmp_path, body) as process,
        process.begin(Work("answers:answer", turn()), FakeDesk(), timeout_s=60) as run,
    ):
        replies = iter(run)
        next(replies)
        threading.Thread(target=run.cancel).start()

        assert list(replies) == []


def test_a_call_after_the_turn_is_over_never_reaches_the_host(tmp_path: Path) -> None:
    body = """
@skill.answers("Hello")
async def answer(turn: Turn, mine: UserStore):
    async def later():
        await asyncio.sleep(0.05)
        await mine.all("plant")
    if turn.text == "wait":
        await asyncio.sleep(0.3)
    else:
        globals()["task"] = asyncio.create_task(later())
    return "done"
"""
    desk = FakeDesk({"UserStore.all": lambda **_: []})

    with running(tmp_path, body) as process:
        said(process, "leave one behind", desk)
        said(process, "wait")

    assert desk.calls == []


def test_code_that_asks_for_more_than_its_manifest_does_not_start(tmp_path: Path) -> None:
    greedy = """
@skill.answers("Hello")
async def answer(turn: Turn, http: Http):
    return turn.text
"""

    with pytest.raises(SkillBroke, match="not what its manifest says"):
        SkillProcess(launch(tmp_path, greedy, alter=lambda honest: replace(honest, capabilities=("Turn",))))


def test_code_that_does_not_load_is_told_with_its_place(tmp_path: Path) -> None:
    good = launch(tmp_path, ECHO)
    (module,) = (tmp_path / "code").glob("*.py")
    module.write_text("import no_such_module\n")

    with pytest.raises(SkillBroke, match=r"ModuleNotFoundError at tried_\d+\.py:1"):
        SkillProcess(good)


def test_too_many_calls_at_once_are_refused_one_by_one(tmp_path: Path) -> None:
    body = """
@skill.answers("Hello")
async def answer(mine: UserStore):
    asked = [asyncio.ensure_future(mine.all("plant")) for _ in range(40)]
    await asyncio.wait(asked, return_when=asyncio.FIRST_EXCEPTION)
    yield "One was refused. "
    made = await asyncio.gather(*asked, return_exceptions=True)
    yield " ".join(sorted({type(one).__name__ for one in made}))
"""
    is_refused = threading.Event()

    def slow(**_: Any) -> list[Any]:
        assert is_refused.wait(60)
        return []

    work, desk = Work("answers:answer", turn()), FakeDesk({"UserStore.all": slow})
    with running(tmp_path, body) as process, process.begin(work, desk, timeout_s=60) as run:
        replies = iter(run)
        next(replies)
        is_refused.set()

        assert list(replies) == [Text(f"{TooMuch.__name__} list")]


def test_ending_a_process_leaves_none_behind(tmp_path: Path) -> None:
    with running(tmp_path, ECHO) as process:
        pid = process.pid

    until(lambda: not Path(f"/proc/{pid}").exists())
