"""A hostile skill speaks the protocol well and lies about whose it is. None of it works; see docs/security.md."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from parlour.people.admit import Access, admit
from parlour.sdk.replies import as_markdown
from parlour.skills.desk import Grants, HostDesk, Services, Whose
from parlour.skills.documents import Documents, Shelf
from parlour.skills.files import SkillFiles
from parlour.skills.http import SkillHttp
from parlour.skills.process import Work
from parlour.store.ids import SkillId, UserId, new_id
from parlour.store.skill_models import SkillRow
from parlour.turns.ports import Sender
from tests.integration.skills.test_escapes import DOCS
from tests.integration.skills.test_process import BROKEN
from tests.support.skills import running, turn
from tests.support.storage import Storage

# By what is tried: a coroutine whose result has the marker when it worked. `ANN` is the id of another person.
FORGERIES = {
    "name another person in a call": "raw.call('UserStore', 'all', kind='plant', user_id=ANN)",
    "name another workspace in a call": "raw.call('UserStore', 'all', kind='plant', workspace_id=ANN)",
    "say that the turn is another person's": "(raw._begin['turn'].update(user=ANN), mine.all('plant'))[1]",
    "read another person's document by its id": "mine.get('plant', 'of-ann')",
    "read another person's document from what all share": "raw.call('SharedStore', 'get', kind='plant', id='of-ann')",
    "read a kind of documents that it never named": "mine.all('secret')",
    "call a method that the host has and never offered": "raw.call('UserStore', '_store', kind='plant')",
    "follow a redirect to this machine": "http.get('https://api.example.org/to-localhost')",
    "follow a redirect to a host that was not granted": "http.get('https://api.example.org/to-evil')",
    "fetch from a granted name that means a private address": "http.get('https://inside.example.org/')",
    "fetch from a host that was not granted": "http.get('https://evil.example/')",
    "ask a skill that it was not granted": "raw.call('Skills', 'ask', skill='bank', what='balance', arguments={})",
    "ask another skill in another person's name": (
        "raw.call('Skills', 'ask', skill='garden', what='plants', arguments={}, user_id=ANN)"
    ),
    "climb out of a folder that it was given": "raw.call('Files', 'read', folder='news', name='../secret.txt')",
    "read a folder that it was not given": "raw.call('Files', 'read', folder='other', name='secret.txt')",
}  # fmt: skip
REDIRECTS = {"/to-localhost": "https://localhost/", "/to-evil": "https://evil.example/"}
HOSTS = ("api.example.org", "inside.example.org")
BODY = """
@skill.answers("Hello")
async def answer(turn: Turn, mine: UserStore, shared: SharedStore, http: Http):
    how, ann = turn.text.split("|")
    try:
        found = await eval(how, {"raw": mine._line, "mine": mine, "http": http, "ANN": ann})
    except Exception as error:
        return type(error).__name__
    return "ESCAPED" if "MARKER" in repr(getattr(found, "body", found)) else "nothing came of it"
"""


def _web(request: httpx.Request) -> httpx.Response:
    target = REDIRECTS.get(request.url.path)
    return httpx.Response(302, headers={"location": target}) if target else httpx.Response(200, text="MARKER")


def _address(host: str) -> list[str]:
    return ["10.0.0.7"] if host == "inside.example.org" else ["93.184.216.34"]


class Others:
    """Other skills, whose every answer has the marker."""

    def ask(self, skill: str, what: str, arguments: Mapping[str, Any]) -> object:
        return "MARKER"

    def close(self) -> None:
        pass


@pytest.fixture
def ask(storage: Storage, tmp_path: Path) -> Callable[[str, str], str]:
    """Runs an attempt in the turn of a person; Ann has a document with the marker."""
    skill_id, people = _skill(storage), {name: _person(storage, name) for name in ("ann", "bob")}
    documents = Documents(
        database=storage.database, privacy=storage.privacy, clock=storage.clock, retention=storage.retention
    )
    ann = Shelf(skill_id, storage.workspace(), people["ann"])
    documents.put(ann, "plant", {"name": "MARKER"}, "of-ann")
    documents.put(ann, "secret", {"name": "MARKER"}, None)
    for place in ("news", "other", "."):
        (tmp_path / "files" / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / place / "secret.txt").write_text("MARKER")
    (tmp_path / "files" / "news" / "secret.txt").rename(tmp_path / "files" / "news" / "open.txt")
    services = Services(
        documents,
        SkillHttp(transport=httpx.MockTransport(_web), find=_address),
        files=SkillFiles({name: tmp_path / "files" / name for name in ("news", "other")}),
        skills=Others(),
    )
    granted = frozenset({"Turn", "UserStore", "SharedStore", "Http", "Files", "Skills"})
    grants = Grants(granted, HOSTS, frozenset({"garden"}), ("news",), frozenset({"plant"}))

    def run(who: str, how: str) -> str:
        desk = HostDesk(Whose(skill_id, storage.workspace(), people[who]), grants, services)
        work = Work("answers:answer", turn(f"{how}|{people['ann']}"))
        with running(tmp_path, BODY) as process, process.begin(work, desk, timeout_s=60) as answer:
            return "".join(as_markdown(reply) for reply in answer)

    return run


def _skill(storage: Storage) -> SkillId:
    row = SkillRow(id=new_id(), workspace_id=storage.workspace(), name="tried", version="1", state="enabled")
    row.manifest, row.lock, row.folder = "{}", "{}", "none"
    row.installed_at = row.updated_at = storage.clock.now()
    with storage.database.begin() as session:
        session.add(row)
        return SkillId(row.id)


def _person(storage: Storage, name: str) -> UserId:
    with storage.database.begin() as session:
        made = admit(
            session, storage.privacy, Access("open"), workspace_id=storage.workspace(), channel="telegram",
            sender=Sender(name, name), now=storage.clock.now(),
        )  # fmt: skip
    assert made is not None
    return made.user_id


@pytest.mark.parametrize("how", FORGERIES)
def test_a_skill_that_lies_gets_nothing(ask: Callable[[str, str], str], how: str) -> None:
    assert ask("bob", FORGERIES[how]) != "ESCAPED"


@pytest.mark.parametrize(
    "how",
    [
        "mine.all('plant')",
        "mine.get('plant', 'of-ann')",
        "http.get('https://api.example.org/')",
        "raw.call('Skills', 'ask', skill='garden', what='plants', arguments={})",
        "raw.call('Files', 'read', folder='news', name='open.txt')",
    ],
)
def test_the_person_herself_and_the_granted_host_are_reached(ask: Callable[[str, str], str], how: str) -> None:
    """Otherwise the test above would prove nothing."""
    assert ask("ann", how) == "ESCAPED"


def test_everything_that_is_tried_stands_in_the_docs() -> None:
    listed = set(re.findall(r"^- (.+?)\.?$", DOCS.read_text(encoding="utf-8"), re.MULTILINE))

    assert {*FORGERIES, *BROKEN} - listed == set()
