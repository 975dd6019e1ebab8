"""The pages for skills, by whoever signs in: what is shown, what each may do, and what is never shown."""

import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from parlour.admin.app import build_app
from parlour.admin.health import Health
from parlour.admin.signin.sessions import open_session
from parlour.admin.site import add_pages
from parlour.people.accounts import AccountBook
from parlour.people.states import Role
from parlour.privacy.holds import add_hold
from parlour.skills.authoring import check, new_skill
from parlour.skills.routing import Route, Rule, to_json
from parlour.skills.service import SkillBook
from parlour.store.ids import new_id
from parlour.store.models import Turn
from parlour.store.operator_models import Login
from parlour.store.skill_models import Job
from tests.support.skill_book import book_of
from tests.support.stage import Stage, make_template, open_stage
from tests.support.wheels import wheel

ORIGIN = {"Origin": "http://testserver"}
NOBODY = "nobody"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    make_template(folder)
    return folder


@pytest.fixture
def stage(template: Path, tmp_path: Path) -> Iterator[Stage]:
    folder = Path(shutil.copytree(template, tmp_path / "data"))
    with open_stage(folder, channel="web") as opened:
        yield opened


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    new_skill(folder, "notes")
    source = folder / "notes" / "src" / "parlour_notes" / "__init__.py"
    text = source.read_text()
    assert "class Settings" in text
    source.write_text(
        re.sub(
            r"(class Settings:\n(?:    \"\"\".*\"\"\"\n\n)?)",
            r"\1    key: Annotated[Secret, Chinese('钥匙')] = Secret()\n",
            text,
        )
    )
    source.write_text(source.read_text().replace("import Skill", "import Chinese, Secret, Skill"))
    assert check(folder / "notes", is_freezing=True).problems == ()
    return folder / "notes"


@pytest.fixture
def client(stage: Stage) -> Iterator[TestClient]:
    app = build_app([], Health({}), max_body_bytes=30_000_000)
    add_pages(app, stage.platform)
    with TestClient(app, follow_redirects=False, headers=ORIGIN) as client:
        yield client


def installed(stage: Stage, folder: Path) -> SkillBook:
    book = book_of(stage)
    offer = book.offer_new(folder)
    book.install(offer, granted=offer.new_grants)
    return book


def sign_in(client: TestClient, stage: Stage, role: str, *, elsewhere: bool = False) -> None:
    """As somebody of that role, in this workspace or another."""
    client.cookies.clear()
    if role == NOBODY:
        return
    platform = stage.platform
    now = platform.clock.now()
    other = AccountBook(
        database=platform.database, privacy=platform.privacy, clock=platform.clock, workspace="elsewhere"
    )
    workspace_id = (other if elsewhere else platform.accounts).ensure_workspace()
    with platform.database.begin() as session:
        login = Login(id=new_id(), workspace_id=workspace_id, role=role, created_at=now, opens_content=False)
        login.lookup_hash = platform.lookup.hash("test login", str(login.id))
        login.name = platform.privacy.sealer.seal(workspace_id, Login.name, login.id, role)
        login.totp_step = 0
        session.add(login)
        session.flush()
        token = open_session(session, platform.lookup, login.id, now=now)
    client.cookies.set("parlour_admin", token)


def csrf(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/admin/skills").text)
    assert found
    return found[1]


def hidden(text: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', text)
    assert found
    return found[1]


# ---- who may ----------------------------------------------------------------------------------------------------

CHANGES = (
    "look",
    "install",
    "notes/enable",
    "notes/settings",
    "notes/upgrade",
    "notes/upgrade/install",
    "notes/remove",
)


@pytest.mark.parametrize(
    ("role", "seen"),
    [(NOBODY, 303), (Role.GUEST, 403), (Role.MEMBER, 403), (Role.AUDITOR, 200), (Role.ADMIN, 200), (Role.OWNER, 200)],
)
def test_pages_are_seen_by_whoever_may_and_by_nobody_else(
    client: TestClient, stage: Stage, made: Path, role: str, seen: int
) -> None:
    installed(stage, made)
    sign_in(client, stage, role)

    answers = [client.get(f"/admin/{path}") for path in ("skills", "skills/notes", "jobs", "skills.csv", "jobs.csv")]

    assert [answer.status_code for answer in answers] == [seen] * 5
    if seen != 200:
        assert all("Keeps notes" not in answer.text and "UserStore" not in answer.text for answer in answers)


@pytest.mark.parametrize(("role", "status"), [(NOBODY, 303), (Role.MEMBER, 403), (Role.AUDITOR, 403)])
@pytest.mark.parametrize("change", CHANGES)
def test_who_may_not_change_skills_changes_none(
    client: TestClient, stage: Stage, made: Path, role: str, status: int, change: str
) -> None:
    book = installed(stage, made)
    sign_in(client, stage, role)

    answer = client.post(f"/admin/skills/{change}", data={"csrf": "x", "where": "everywhere", "is_enabled": "no"})

    assert answer.status_code == status
    assert book.get("notes").is_enabled


@pytest.mark.parametrize("change", CHANGES)
def test_a_form_without_the_sessions_token_is_refused(
    client: TestClient, stage: Stage, made: Path, change: str
) -> None:
    installed(stage, made)
    sign_in(client, stage, Role.OWNER)

    assert client.post(f"/admin/skills/{change}", data={"csrf": "x"}).status_code == 403


def test_another_workspaces_skill_is_as_unknown_as_none(client: TestClient, stage: Stage, made: Path) -> None:
    book = installed(stage, made)
    sign_in(client, stage, Role.OWNER, elsewhere=True)
    token = csrf(client)

    def answers(name: str) -> list[tuple[int, str]]:
        told = [client.get(f"/admin/skills/{name}")]
        told += [
            client.post(f"/admin/skills/{name}/{change}", data={"csrf": token, "where": "everywhere"})
            for change in ("enable", "settings", "upgrade", "upgrade/install", "remove")
        ]
        return [(one.status_code, one.text.replace(name, "NAME")) for one in told]

    assert answers("notes") == answers("nothing")
    assert {status for status, _ in answers("notes")} == {404}
    assert "notes" not in client.get("/admin/skills").text + client.get("/admin/jobs").text
    assert book.get("notes").is_enabled


# ---- installing -------------------------------------------------------------------------------------------------


def _upload(client: TestClient, token: str, content: bytes, name: str = "parlour_notes-0.1.0-py3-none-any.whl") -> Any:
    files = {"file": (name, content, "application/octet-stream")}
    return client.post("/admin/skills/upload", data={"csrf": token}, files=files)


def test_an_upload_is_shown_first_and_installed_when_its_grants_are_given(
    client: TestClient, stage: Stage, made: Path
) -> None:
    sign_in(client, stage, Role.ADMIN)
    token = csrf(client)

    offer = _upload(client, token, wheel(made))

    assert offer.status_code == 200
    assert "UserStore" in offer.text
    assert "keep documents about the person" in offer.text
    assert book_of(stage).installed() == []
    given = {"csrf": token, "source": hidden(offer.text, "source"), "digest": hidden(offer.text, "digest")}
    refused = client.post("/admin/skills/install", data=given)
    assert refused.status_code == 422
    assert book_of(stage).installed() == []
    done = client.post("/admin/skills/install", data={**given, "grant:UserStore": "yes"})
    assert done.headers["location"] == "/admin/skills/notes?done=skill_installed"
    assert [skill.name for skill in book_of(stage).installed()] == ["notes"]
    assert list((stage.settings.data_dir / "skills-uploaded").glob("*/*")) == []


def test_a_command_that_another_skill_has_is_told_where_it_is_offered(
    client: TestClient, stage: Stage, made: Path, tmp_path: Path
) -> None:
    new_skill(tmp_path, "plants")
    source = tmp_path / "plants" / "src" / "parlour_plants" / "__init__.py"
    source.write_text(source.read_text().replace('skill.command("plants"', 'skill.command("notes"'))
    assert check(tmp_path / "plants", is_freezing=True).problems == ()
    installed(stage, made)
    sign_in(client, stage, Role.ADMIN)

    file = "parlour_plants-0.1.0-py3-none-any.whl"
    offer = _upload(client, csrf(client), wheel(tmp_path / "plants", skill="plants"), file)

    assert "/notes is a command of notes too. Where both are enabled, notes has it." in offer.text


def test_what_cannot_be_read_any_more_is_said_why_and_installed_over(
    client: TestClient, stage: Stage, made: Path
) -> None:
    installed(stage, made)
    with stage.platform.database.begin() as session:
        session.connection().exec_driver_sql("""UPDATE skills SET manifest = replace(manifest, '"version"', '"x"')""")
    sign_in(client, stage, Role.ADMIN)

    assert "parlour-skill.json lacks a field" in client.get("/admin/skills").text

    installed(stage, made)
    assert [skill.name for skill in book_of(stage).installed()] == ["notes"]
    assert "parlour-skill.json" not in client.get("/admin/skills").text


def test_what_is_no_longer_what_was_shown_is_not_installed(client: TestClient, stage: Stage, made: Path) -> None:
    sign_in(client, stage, Role.OWNER)
    token = csrf(client)
    offer = _upload(client, token, wheel(made))

    answer = client.post(
        "/admin/skills/install",
        data={"csrf": token, "source": hidden(offer.text, "source"), "digest": "0" * 64, "grant:UserStore": "yes"},
    )

    assert "What was shown is not what is there now" in answer.text
    assert book_of(stage).installed() == []


@pytest.mark.parametrize("source", ["/etc", "../notes", "git+file:///srv/x", "git+ssh://git@host/x", "notes", ""])
def test_a_path_of_the_server_is_no_source(client: TestClient, stage: Stage, source: str) -> None:
    sign_in(client, stage, Role.OWNER)

    answer = client.post("/admin/skills/look", data={"csrf": csrf(client), "source": source})

    assert answer.status_code == 422
    assert "is no source here" in answer.text


def test_a_file_that_is_too_large_or_no_skill_is_refused(client: TestClient, stage: Stage) -> None:
    sign_in(client, stage, Role.OWNER)
    token = csrf(client)

    assert "larger than 20,000,000 bytes" in _upload(client, token, bytes(20_000_001)).text
    assert "not a wheel, or a damaged one" in _upload(client, token, b"none").text
    assert "is no .whl and no .tar.gz" in _upload(client, token, b"none", "../../x.py").text


# ---- one skill --------------------------------------------------------------------------------------------------


def test_it_is_enabled_and_disabled_where_the_page_says(client: TestClient, stage: Stage, made: Path) -> None:
    book = installed(stage, made)
    sign_in(client, stage, Role.ADMIN)
    token = csrf(client)

    def send(where: str, is_enabled: str, conversation: str = "") -> int:
        data = {"csrf": token, "where": where, "is_enabled": is_enabled, "conversation": conversation}
        return client.post("/admin/skills/notes/enable", data=data).status_code

    assert send("slack", "no") == 303
    assert [(one.channel, one.is_enabled) for one in book.get("notes").scopes] == [("slack", False)]
    assert send("conversation", "no", str(new_id())) == 422
    assert send("conversation", "no", "x") == 422
    assert send("everywhere", "no") == 303
    assert not book.get("notes").is_enabled
    assert book.get("notes").scopes == ()


def test_a_secret_is_set_and_never_shown_again(client: TestClient, stage: Stage, made: Path) -> None:
    book = installed(stage, made)
    sign_in(client, stage, Role.ADMIN)

    answer = client.post("/admin/skills/notes/settings", data={"csrf": csrf(client), "key": "s3cret-marker"})

    assert answer.status_code == 303
    assert book.settings(book.get("notes"), with_secrets=True)["key"] == "s3cret-marker"
    shown = client.get("/admin/skills/notes").text
    assert "s3cret-marker" not in shown
    assert "never shown" in shown


def test_what_does_not_fit_stands_beside_its_field_and_nothing_is_set(
    client: TestClient, stage: Stage, made: Path
) -> None:
    book = installed(stage, made)
    sign_in(client, stage, Role.ADMIN)
    before = book.settings(book.get("notes"), with_secrets=True)

    answer = client.post(
        "/admin/skills/notes/settings", data={"csrf": csrf(client), "most": "<b>many", "key": "s3cret-marker"}
    )

    assert answer.status_code == 422
    assert "Write a whole number." in answer.text
    assert 'aria-describedby="about-most wrong-most" aria-invalid="true"' in answer.text
    assert "&lt;b&gt;many" in answer.text
    assert "s3cret-marker" not in answer.text
    assert book.settings(book.get("notes"), with_secrets=True) == before


def test_an_upgrade_is_a_dry_run_that_shows_what_more_it_wants(
    client: TestClient, stage: Stage, made: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "notes"))
    book = installed(stage, folder)
    source = folder / "src" / "parlour_notes" / "__init__.py"
    project = folder / "pyproject.toml"
    wants_more = source.read_text().replace(
        "async def notes(mine: UserStore)", "async def notes(mine: UserStore, all: SharedStore)"
    )
    source.write_text(wants_more.replace("import Chinese,", "import Chinese, SharedStore,"))
    project.write_text(project.read_text().replace('version = "0.1.0"', 'version = "0.2.0"'))
    assert check(folder, is_freezing=True).problems == ()
    sign_in(client, stage, Role.ADMIN)
    token = csrf(client)

    tried = client.post("/admin/skills/notes/upgrade", data={"csrf": token, "source": ""})

    assert "It wants more than before" in tried.text
    assert "grant:SharedStore" in tried.text
    assert "grant:UserStore" not in tried.text
    assert book.get("notes").version == "0.1.0"
    given = {"csrf": token, "source": hidden(tried.text, "source"), "digest": hidden(tried.text, "digest")}
    done = client.post("/admin/skills/notes/upgrade/install", data={**given, "grant:SharedStore": "yes"})
    assert done.status_code == 303
    assert book.get("notes").version == "0.2.0"


def test_its_own_figures_are_shown_and_another_workspaces_are_not(client: TestClient, stage: Stage, made: Path) -> None:
    installed(stage, made)
    for state in ("answered", "failed"):
        turn_id = stage.say("hello").turn_id
        route = to_json(Route(Rule.COMMAND, skill="notes", handler="command:notes"))
        values = {"route": route, "state": state, "started_at": stage.clock.now()}
        values["finished_at"] = stage.clock.now() + timedelta(milliseconds=250)
        with stage.platform.database.begin() as session:
            session.execute(update(Turn).where(Turn.id == turn_id).values(values))
    sign_in(client, stage, Role.AUDITOR)
    mine = client.get("/admin/skills.csv").text.splitlines()[1]
    sign_in(client, stage, Role.AUDITOR, elsewhere=True)

    assert mine.endswith(",2,1,250,250")
    assert len(client.get("/admin/skills.csv").text.splitlines()) == 1


def test_it_is_removed_and_what_it_stored_stays_unless_said(client: TestClient, stage: Stage, made: Path) -> None:
    book = installed(stage, made)
    sign_in(client, stage, Role.ADMIN)
    token = csrf(client)
    book.configure("notes", {"most": 7})

    client.post("/admin/skills/notes/remove", data={"csrf": token, "with_data": "no"})

    assert book.installed() == []
    assert installed(stage, made).settings(book.get("notes"))["most"] == 7
    client.post("/admin/skills/notes/remove", data={"csrf": token, "with_data": "yes"})
    assert installed(stage, made).settings(book.get("notes"))["most"] != 7


def test_what_is_under_a_legal_hold_is_not_removed_with_its_skill(client: TestClient, stage: Stage, made: Path) -> None:
    book, parts = installed(stage, made), stage.platform
    sign_in(client, stage, Role.ADMIN)
    hold_id = add_hold(
        parts.database,
        parts.privacy,
        workspace_id=parts.accounts.ensure_workspace(),
        reason="a dispute",
        actor="command:test",
    )

    told = client.post("/admin/skills/notes/remove", data={"csrf": csrf(client), "with_data": "yes"})

    assert str(hold_id) in told.text
    assert [one.name for one in book.installed()] == ["notes"]


def test_every_page_speaks_chinese(client: TestClient, stage: Stage, made: Path) -> None:
    skill_id, now = installed(stage, made).get("notes").id, stage.platform.clock.now()
    with stage.platform.database.begin() as session:
        job = Job(id=new_id(), skill_id=skill_id, name="sweep", schedule="every 5m", due_at=now, outcome="given_up")
        session.add(job)
    sign_in(client, stage, Role.OWNER)

    pages = [
        client.get(f"/admin/{path}", headers={"Accept-Language": "zh-CN"}).text
        for path in ("skills", "skills/notes", "jobs")
    ]

    assert all('<html lang="zh">' in text for text in pages)
    assert "安装技能" in pages[0]
    assert "启用范围" in pages[1]
    assert "钥匙" in pages[1]
    assert '<option value="web">网页聊天</option>' in pages[1]
    assert all("<td>已放弃" in text and "given_up" not in text for text in pages[1:])
