"""Measures every list of the admin pages at a million users on PostgreSQL, with the pages' own code around it.

    python -m scripts.measure_pages [USERS]

Needs PostgreSQL's binaries, as the tests do. The rows are made by SQL and hold nothing that opens but the names shown.
"""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry
from sqlalchemy import text
from starlette.testclient import TestClient

from parlour.admin.app import build_app
from parlour.admin.health import Health
from parlour.admin.signin.links import first_link
from parlour.admin.site import add_pages
from parlour.bootstrap import Platform, platform
from parlour.settings import load
from tests.services import PostgresDatabases, PostgresServer

ADDRESS, PASSWORD = "http://parlour.test", "several words make a good one"
TIMES = 9
# Ids as UUIDv7 are, the time first. One user in a hundred waits, one in a thousand is blocked, one in 10,000 owns.
IDS = (
    "(lpad(to_hex((extract(epoch from now()) * 1000)::bigint - {span} + n), 12, '0') || '7' || "
    "substr(md5(n::text), 14))::uuid"
)
USERS = """
INSERT INTO users (id, workspace_id, role, state, created_at)
SELECT {id}, :workspace, CASE WHEN n % 10000 = 0 THEN 'owner' WHEN n % 1000 = 1 THEN 'admin' ELSE 'member' END,
    CASE WHEN n % 100 = 2 THEN 'pending' WHEN n % 1000 = 3 THEN 'blocked' ELSE 'active' END, now()
FROM generate_series(1, :users) n"""
IDENTITIES = """
INSERT INTO identities (id, workspace_id, user_id, channel, lookup_hash, external_id, created_at)
SELECT id, workspace_id, id, 'telegram', decode(md5(id::text) || md5(id::text || 'x'), 'hex'), '\\x00', now()
FROM users WHERE created_at >= now() - interval '1 day'"""
CONVERSATIONS = """
INSERT INTO conversations (id, workspace_id, account_id, user_id, lookup_hash, address, is_private, fresh_from_seq,
    last_seq, fence, created_at)
SELECT id, workspace_id, :account, CASE WHEN role = 'admin' THEN NULL ELSE id END,
    decode(md5(id::text) || md5(id::text || 'y'), 'hex'), '\\x00', role <> 'admin', 0, 1, 0,
    now() - make_interval(secs => random() * 8640000)
FROM users"""
TURNS = """
INSERT INTO turns (id, conversation_id, account_id, user_id, event_id, seq, kind, state, attempts, is_stop_requested,
    due_at, received_at, finished_at, prompt_tokens, completion_tokens)
SELECT id, id, :account, id, id::text, 1, 'message', CASE WHEN role = 'owner' THEN 'failed' ELSE 'answered' END, 1,
    false, now(), now() - make_interval(secs => random() * 80000), now(), 100, 50 FROM users"""
FEEDBACK = """
INSERT INTO feedback (id, turn_id, user_id, is_positive, created_at)
SELECT id, id, id, role = 'member', now() - make_interval(secs => random() * 8640000) FROM users
WHERE state = 'active'"""
PAGES = (
    "/admin",
    "/admin/people",
    "/admin/people?state=active",
    "/admin/people?state=pending",
    "/admin/people?state=blocked",
    "/admin/people?state=merged",
    "/admin/people?role=owner",
    "/admin/people?role=auditor",
    "/admin/people?role=admin&state=blocked",
    "/admin/people/find?who=telegram:nobody",
    "/admin/pairing",
    "/admin/conversations",
    "/admin/conversations?kind=group",
    "/admin/feedback",
    "/admin/feedback?thumb=down",
    "/admin/audit",
    "/admin/holds",
    "/admin/receipts",
    "/admin/retention",
    "/admin/keys",
    "/admin/messengers",
    "/admin/stuck",
    "/admin/skills",
    "/admin/jobs",
    "/admin/operators",
    "/admin/tokens",
)


def main(users: int) -> None:
    """Print a row for each page: the median and the slowest of nine, in milliseconds."""
    with _platform() as parts, ExitStack() as stack:
        _fill(parts, users)
        app = build_app([], Health({}), registry=CollectorRegistry())
        add_pages(app, parts)
        client = stack.enter_context(TestClient(app, base_url=ADDRESS, headers={"Sec-Fetch-Site": "same-origin"}))
        link = first_link(parts.database, parts.privacy, parts.accounts.ensure_workspace())
        assert link is not None  # noqa: S101 (nobody can have signed in before)
        form = {"name": "Olga", "password": PASSWORD, "again": PASSWORD, "is_first": "yes"}
        client.post("/admin/first", data={**form, "token": link.path.partition("token=")[2]}, follow_redirects=False)
        print("| page | median ms | slowest ms |", "|---|---|---|", *(_row(client, path) for path in PAGES), sep="\n")


def _row(client: TestClient, path: str) -> str:
    taken, status = [], 0
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = client.get(path, follow_redirects=False)
        taken.append((time.perf_counter() - began) * 1000)
        status = answer.status_code
    note = "" if status in {200, 404} else f" ({status})"
    return f"| `{path}`{note} | {statistics.median(taken):.0f} | {max(taken):.0f} |"


@contextmanager
def _platform() -> Iterator[Platform]:
    folder = Path(tempfile.mkdtemp())
    server = PostgresServer().start()
    try:
        databases = PostgresDatabases(server.url)
        settings = load({}, data_dir=folder / "data", database={"url": databases.create()}, engine={"kind": "echo"})
        with platform(settings, is_migrating=True) as parts:
            yield parts
    finally:
        server.stop()
        server.remove()
        shutil.rmtree(folder)


def _fill(parts: Platform, users: int) -> None:
    workspace, account = parts.accounts.ensure_workspace(), parts.accounts.register("telegram", "bot", "Bot")
    given = {"workspace": workspace, "account": account, "users": users}
    with parts.database.begin() as session:
        for statement in (USERS.format(id=IDS.format(span=users)), IDENTITIES, CONVERSATIONS, TURNS, FEEDBACK):
            session.execute(text(statement), given)
    engine = parts.database._engine  # noqa: SLF001 (nothing else vacuums)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
