"""A hostile skill tries to get out. None of it works; what it tries stands in docs/security.md."""

import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from parlour.skills.process import SkillProcess
from tests.support.skills import FakeDesk, running, said

DOCS = Path(__file__).parents[3] / "docs" / "security.md"

# By what is tried: an expression that is true when it worked. `PLACE` is a folder with a file `secret` in it.
ESCAPES = {
    "read a file of the platform's": "open(PLACE + '/secret').read()",
    "list a folder of the platform's": "os.listdir(PLACE)",
    "read /etc/passwd": "open('/etc/passwd').read()",
    "read its parent's environment": "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "read its own memory map": "open('/proc/self/maps').read()",
    "find a setting or a secret in its environment": "[n for n in os.environ if n != 'LC_CTYPE']",
    "write a file beside its code": "open(__file__ + '.out', 'w')",
    "write to /tmp": "open('/tmp/skill-was-here', 'w')",
    "write to shared memory": "open('/dev/shm/skill-was-here', 'w')",
    "make a folder": "os.mkdir('/tmp/skill-folder') or True",
    "delete a file": "os.unlink(PLACE + '/secret') or True",
    "rename a file": "os.rename(PLACE + '/secret', PLACE + '/taken') or True",
    "cut a file to nothing": "os.truncate(PLACE + '/secret', 0) or True",
    "open a file to anyone by chmod": "os.chmod(PLACE + '/secret', 0o777) or True",
    "reach a file through a symbolic link": "open(PLACE + '/link').read()",
    "make a symbolic link": "os.symlink('/etc/passwd', '/tmp/skill-link') or True",
    "make a hard link": "os.link(PLACE + '/secret', '/tmp/skill-hard-link') or True",
    "read another skill's store of documents": "open(PLACE + '/parlour.sqlite', 'rb').read()",
    "open a network connection": "socket.create_connection(('127.0.0.1', PORT), 2)",
    "open a socket at all": "socket.socket()",
    "write to another's Unix socket": "socket.socket(socket.AF_UNIX).connect(PLACE + '/line') or True",
    "send a datagram to a Unix socket by way of a pair": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "resolve a name": "socket.getaddrinfo('example.org', 80)",
    "fork": "os.fork() == 0 or True",
    "start a program": "__import__('subprocess').run(['/bin/true']).returncode == 0",
    "replace itself by a program": "os.execv('/bin/true', ['true'])",
    "start a program from memory": "os.execve(os.memfd_create('x'), ['x'], {})",
    "signal its parent": "os.kill(os.getppid(), 0) or True",
    "signal everyone": "os.kill(-1, 0) or True",
    "trace another process": "LIBC.ptrace(16, os.getppid(), 0, 0) == 0",
    "read another process's memory": "LIBC.syscall(310, os.getppid(), 0, 0, 0, 0, 0) >= 0",
    "take a descriptor of another process": "LIBC.syscall(434, os.getppid(), 0) >= 0",
    "make a namespace with new rights": "LIBC.unshare(0x10000000) == 0",
    "mount a file system": "LIBC.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0",
    "change its root": "os.chroot('/tmp') or True",
    "take root's rights back": "os.setuid(0) or open('/etc/shadow').read()",
    "raise its memory limit": "__import__('resource').setrlimit(9, (-1, -1)) or True",
    "lower another process's limits": "__import__('resource').prlimit(os.getppid(), 7, (1, 1))",
    "use io_uring, which goes around filters": "LIBC.syscall(425, 8, ctypes.create_string_buffer(120)) >= 0",
    "take more memory than it may": "bytearray(2 * 10**9)",
    "import the platform itself": "__import__('parlour.store.database')",
    "import a library of the platform's": "__import__('sqlalchemy')",
    "be given what it was not granted": "await_(mine.all('plant'))",
}  # fmt: skip
BODY = """
import ctypes, socket
LIBC = ctypes.CDLL(None, use_errno=True)
@skill.answers("Hello")
async def answer(turn: Turn, mine: UserStore):
    how, place, port = turn.text.split("|")
    def await_(work):
        raise PermissionError("checked below")
    known = {**globals(), "PLACE": place, "PORT": int(port), "mine": mine, "await_": await_}
    try:
        if "await_" in how:
            await mine.all("plant")
            return "ESCAPED"
        return "ESCAPED" if eval(how, known) else "nothing came of it"
    except BaseException as error:
        return type(error).__name__
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what a skill would like to have, its rights no obstacle."""
    folder = tmp_path_factory.mktemp("platform")
    folder.chmod(0o755)
    for name in ("secret", "parlour.sqlite"):
        (folder / name).write_text("MARKER")
        (folder / name).chmod(0o666)
    (folder / "link").symlink_to(folder / "secret")
    with socket.socket(socket.AF_UNIX) as line:
        line.bind(os.path.relpath(folder / "line"))
        line.listen()
        yield folder


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server on this machine that anyone may connect to."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SkillProcess]:
    with running(tmp_path_factory.mktemp("hostile"), BODY) as process:
        if not all(process.protections.values()):
            pytest.skip(
                f"This kernel lacks protections: {process.protections}. Needs Linux 5.13 with Landlock, seccomp."
            )
        yield process


@pytest.mark.parametrize("how", ESCAPES)
def test_a_hostile_skill_does_not_get_out(hostile: SkillProcess, place: Path, port: int, how: str) -> None:
    answer = said(hostile, f"{ESCAPES[how]}|{place}|{port}", FakeDesk())

    assert answer != "ESCAPED"
    assert (place / "secret").read_text() == "MARKER"
    assert hostile.is_alive


def test_the_same_things_work_where_nothing_is_confined(tmp_path: Path, place: Path, port: int) -> None:
    """Otherwise the test above would prove nothing."""
    harmless = [
        "read a file of the platform's", "list a folder of the platform's", "read /etc/passwd",
        "read its parent's environment", "reach a file through a symbolic link", "open a network connection",
        "open a socket at all", "write to another's Unix socket", "start a program", "signal its parent",
        "make a namespace with new rights", "read its own memory map", "take more memory than it may",
    ]  # fmt: skip
    with running(tmp_path, BODY, is_confined=False) as process:
        answers = {how: said(process, f"{ESCAPES[how]}|{place}|{port}", FakeDesk()) for how in harmless}

    assert {how for how, answer in answers.items() if answer != "ESCAPED"} == set()


def test_threads_are_allowed_and_end_with_the_process(tmp_path: Path) -> None:
    body = """
import threading
@skill.answers("Hello")
async def answer():
    return await asyncio.to_thread(lambda: "from a thread")
"""
    before = threading.active_count()
    with running(tmp_path, body) as process:
        assert said(process) == "from a thread"
    assert threading.active_count() <= before + 1


def test_every_escape_that_is_tried_stands_in_the_docs() -> None:
    listed = set(re.findall(r"^- (.+?)\.?$", DOCS.read_text(encoding="utf-8"), re.MULTILINE))

    assert set(ESCAPES) - listed == set()
