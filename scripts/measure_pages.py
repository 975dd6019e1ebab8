"""Measures every list of the admin pages at a million users on PostgreSQL, with the pages' own code around it.

    python -m scripts.measure_pages [--users 1000000] [--json-file FILE]

Needs PostgreSQL's binaries, as the tests do; its data lies under TMPDIR (ten gigabytes for a million). The rows are
made by SQL. The people on the first page of each list have keys and names that open, since that is what a page costs.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from rich.console import Console
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from parlour.admin.app import build_app
from parlour.admin.health import Health
from parlour.admin.lists import PAGE_ROWS
from parlour.admin.signin.links import first_link
from parlour.admin.site import add_pages
from parlour.bench.report import Report
from parlour.bootstrap import Platform, platform
from parlour.people.states import Role, UserState
from parlour.settings import load
from parlour.store.ids import UserId, WorkspaceId
from parlour.store.models import Identity, User
from tests.services import PostgresDatabases, PostgresServer

ADDRESS, PASSWORD = "http://parlour.test", "several words make a good one"
TIMES, MESSAGES_EACH = 9, 3
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
MESSAGES = """
INSERT INTO messages (id, conversation_id, turn_id, user_id, seq, author, body, created_at, expires_at)
SELECT gen_random_uuid(), id, id, id, 1, CASE WHEN n % 2 = 0 THEN 'assistant' ELSE 'user' END,
    decode(repeat(md5(id::text), 8), 'hex'), now(), now() + interval '90 days'
FROM users, generate_series(1, :each) n"""
# No chain of hashes: a list reads entries, only the check of the whole log reads the chain.
AUDIT = """
INSERT INTO audit_entries (seq, id, at, actor, action, subject, workspace_id, hash)
SELECT 1000000 + row_number() OVER (), id, now() - interval '1 day', 'user:' || id,
    CASE WHEN role = 'member' THEN 'user.approve' ELSE 'content.open' END, id::text, workspace_id,
    decode(repeat(md5(id::text), 2), 'hex')
FROM users"""
ERASURES = """
INSERT INTO erasures (subject_id, receipt_id, workspace_id, actor, requested_at, finished_at, receipt)
SELECT gen_random_uuid(), gen_random_uuid(), workspace_id, 'system',
    now() - make_interval(secs => random() * 8640000), now(), NULL FROM users WHERE state = 'pending'"""
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


def main(users: int, json_file: Path | None) -> None:
    """Print a row for each page, and write them as JSON where asked to."""
    report = Report("admin pages", {"users": users, "messages_each": MESSAGES_EACH, "times": TIMES})
    with _platform() as parts:
        began = time.monotonic()
        _fill(parts, users)
        report.add("Filling", {"users": users, "seconds": round(time.monotonic() - began)})
        for row in measured(parts):
            report.add("Pages, in milliseconds", row)
    report.add(
        "Load of the machine", {"before": report.machine["load_before"][0], "after": round(os.getloadavg()[0], 2)}
    )
    report.show(Console())
    if json_file:
        report.write(json_file)


def measured(parts: Platform) -> Iterator[dict[str, Any]]:
    """How long each page takes a first owner who has just signed in."""
    with ExitStack() as stack:
        app = build_app([], Health({}), registry=CollectorRegistry())
        add_pages(app, parts)
        client = stack.enter_context(TestClient(app, base_url=ADDRESS, headers={"Sec-Fetch-Site": "same-origin"}))
        link = first_link(parts.database, parts.privacy, parts.accounts.ensure_workspace())
        assert link is not None  # noqa: S101 (nobody can have signed in before)
        form = {"name": "Olga", "password": PASSWORD, "again": PASSWORD, "is_first": "yes"}
        client.post("/admin/first", data={**form, "token": link.path.partition("token=")[2]}, follow_redirects=False)
        for path in PAGES:
            yield _row(client, path)


def _row(client: TestClient, path: str) -> dict[str, Any]:
    """The time that passes, and beside it what of this process's own computing is in it: the rest is the database's.

    On a machine with other work the time that passes tells of that as well.
    """
    taken, own = [], []
    for _ in range(TIMES):
        began, computed = time.perf_counter(), time.process_time()
        status = client.get(path, follow_redirects=False).status_code
        taken.append((time.perf_counter() - began) * 1000)
        own.append((time.process_time() - computed) * 1000)
        if status not in {200, 404}:
            raise SystemExit(f"{path} answered {status}")
    figures = {"median": statistics.median(taken), "quickest": min(taken), "slowest": max(taken)}
    rounded = {name: round(value) for name, value in {**figures, "own": statistics.median(own)}.items()}
    return {"page": path, **rounded}


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
    given = {"workspace": workspace, "account": account, "users": users, "each": MESSAGES_EACH}
    tables = (IDENTITIES, CONVERSATIONS, TURNS, FEEDBACK, MESSAGES, AUDIT, ERASURES)
    with parts.database.begin() as session:
        # No look at who is referred to, row by row: it takes longer, and all are there.
        for statement in ("SET LOCAL synchronous_commit = off", "SET LOCAL session_replication_role = replica"):
            session.execute(text(statement))
        for statement in (USERS.format(id=IDS.format(span=users)), *tables):
            session.execute(text(statement), given)
    engine = parts.database._engine  # noqa: SLF001 (nothing else vacuums)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    _name_those_listed(parts, workspace)


def _name_those_listed(parts: Platform, workspace: WorkspaceId) -> None:
    """Keys, addresses and names for whoever is on the first page of a list of people."""
    seal = parts.sealer.seal
    with parts.database.begin() as session:
        for user_id in _listed(session, workspace):
            parts.privacy.keyring.create(user_id)
            names = {"external_id": seal(user_id, Identity.external_id, user_id, str(user_id.int)[:9])}
            names["name"] = seal(user_id, Identity.name, user_id, f"Person {user_id.hex[-4:]}")
            session.execute(update(Identity).where(Identity.id == user_id).values(names))


def _listed(session: Session, workspace: WorkspaceId) -> set[UserId]:
    everyone = select(User.id).where(User.workspace_id == workspace).order_by(User.id).limit(PAGE_ROWS + 1)
    lists = [everyone, *(everyone.where(User.state == state) for state in UserState)]
    lists += [everyone.where(User.role == role) for role in Role]
    return {UserId(user_id) for one in lists for user_id in session.scalars(one)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--json-file", type=Path)
    given = parser.parse_args()
    main(given.users, given.json_file)
