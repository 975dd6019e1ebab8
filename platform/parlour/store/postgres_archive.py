"""Archives of a PostgreSQL database, by PostgreSQL's own `pg_dump` and `pg_restore`."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import inspect, make_url, text
from sqlalchemy.engine import URL

from parlour.store.connect import Use, connect, place_of
from parlour.store.errors import BackupFailed, BackupRefused

_CHUNK = 1 << 20


def dump(url: str, target: Path, step: Callable[[int], object]) -> None:
    """Write the database as it is now into the new file `target`; `step` is told how many bytes went.

    `pg_dump` reads in one transaction: consistent, and no writer waits. Raises `BackupRefused` where the tool is
    missing or older than the server, and `BackupFailed`.
    """
    tool_version("pg_dump", at_least=server_version(url))
    with target.open("xb") as file, _running("pg_dump", url, "--format=custom", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 (it was asked for)
        while chunk := process.stdout.read(_CHUNK):
            file.write(chunk)
            step(len(chunk))


def load(file: Path, url: str, step: Callable[[int], object]) -> None:
    """Bring an archive into an empty database, all of it or nothing; `step` is told how many bytes went.

    Raises `BackupRefused` and `BackupFailed`.
    """
    ways = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    with file.open("rb") as archive, _running("pg_restore", url, *ways, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 (it was asked for)
        try:
            while chunk := archive.read(_CHUNK):
                process.stdin.write(chunk)
                step(len(chunk))
            process.stdin.close()
        except BrokenPipeError:
            # It gave up. Its own words say why, once it has ended.
            process.wait()


def problems_of(file: Path) -> list[str]:
    """What keeps an archive from being read, empty where nothing does. Raises `BackupRefused`: no `pg_restore`."""
    path = _tool("pg_restore")
    done = subprocess.run([path, "--list", str(file)], capture_output=True, text=True, check=False)  # noqa: S603 (theirs)
    if done.returncode:
        return [f"{file.name} cannot be listed by pg_restore ({_first_error(done.stderr)})"]
    return [] if " TABLE DATA " in done.stdout else [f"{file.name} holds no table"]


def tool_version(name: str, *, at_least: int) -> int:
    """The major version of the tool. Raises `BackupRefused` where it is missing or older than `at_least`."""
    path = _tool(name)
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 (theirs)
    found = re.search(r"(\d+)", said)
    major = int(found[1]) if found else 0
    if major < at_least:
        problem = f"{path} is of PostgreSQL {major}, but {at_least} or newer is needed."
        raise BackupRefused(f"{problem} Install postgresql-client-{at_least} and put it first in PATH.")
    return major


def server_version(url: str) -> int:
    """The server's major version."""
    engine = connect(url, pool_size=1, busy_timeout_s=10, use=Use.READ)
    try:
        with engine.connect() as connection:
            return int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    finally:
        engine.dispose()


def refuse_occupied(url: str) -> None:
    """Raises `BackupRefused` where the database holds tables."""
    engine = connect(url, pool_size=1, busy_timeout_s=10, use=Use.READ)
    try:
        tables = inspect(engine).get_table_names()
    finally:
        engine.dispose()
    if tables:
        problem = f"The database {place_of(url)} holds {len(tables)} tables, and a restore goes into an empty one only."
        raise BackupRefused(f"{problem} Make a new one with createdb and name it in the settings.")


@contextmanager
def _running(
    name: str, url: str, *ways: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> Iterator["subprocess.Popen[bytes]"]:
    """The tool at work on that database; its end waited for. Raises `BackupFailed` with its first word of error."""
    with tempfile.TemporaryFile() as errors, _address(make_url(url)) as address:
        arguments = [_tool(name), "--no-password", *ways, f"--dbname={address}"]
        with subprocess.Popen(arguments, stdin=stdin, stdout=stdout, stderr=errors) as process:  # noqa: S603 (theirs)
            yield process
        if process.returncode:
            raise BackupFailed(f"{name} failed on {place_of(url)}: {_first_error(_text(errors))}. Nothing was changed.")


@contextmanager
def _address(url: URL) -> Iterator[str]:
    """The address as libpq takes it, with the password in a file for this user alone: a command line is for all."""
    query = dict(url.query)
    password = url.password or query.pop("password", None)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        if password:
            escaped = str(password).replace("\\", "\\\\").replace(":", "\\:")
            file.write(f"*:*:*:*:{escaped}\n")
            file.flush()
            query["passfile"] = file.name
        bare = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
        yield bare.render_as_string(hide_password=False)


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        remedy = "Install PostgreSQL's client programs: apt-get install postgresql-client"
        raise BackupRefused(f"{name} is not on this machine, or not in PATH. {remedy}")
    return path


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_CHUNK).decode(errors="replace")


def _first_error(said: str) -> str:
    """The first line of an error, without its details: those quote rows."""
    lines = [line for line in said.splitlines() if "error:" in line] or said.splitlines() or ["it did not say why"]
    return lines[0].strip().rstrip(".")
