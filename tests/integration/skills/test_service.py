"""Installing and setting skills, and the documents they keep, on both databases."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from parlour.people.admit import Access, admit
from parlour.privacy.audit import tail
from parlour.privacy.holds import UnderHold, add_hold, release_hold
from parlour.privacy.retention import purge_expired
from parlour.sdk.capabilities import CAPABILITIES
from parlour.sdk.errors import CapabilityError, Invalid, NotAvailable, NotGranted, TooMuch
from parlour.sdk.replies import as_markdown
from parlour.skills.authoring import check, new_skill
from parlour.skills.desk import HostDesk, Services, Whose
from parlour.skills.documents import Documents, Shelf, move_documents
from parlour.skills.environment import Environments
from parlour.skills.errors import (
    BadSettings,
    GrantsMissing,
    InstallRefused,
    NoSuchConversation,
    NoSuchSkill,
    SkillError,
)
from parlour.skills.process import Work
from parlour.skills.service import SkillBook
from parlour.skills.standing import SkillStanding
from parlour.skills.supervisor import Supervisor, starter
from parlour.skills.views import Place, SkillView
from parlour.store.ids import ConversationId, UserId, new_id
from parlour.store.models import Conversation
from parlour.store.skill_models import SkillDocument, SkillSetting
from parlour.turns.ports import Sender
from tests.support.skills import FakeDesk, turn
from tests.support.storage import Storage


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    new_skill(folder, "notes")
    return folder / "notes"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "notes"))


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    return Environments(tmp_path / "skills")


@pytest.fixture
def book(storage: Storage, environments: Environments) -> SkillBook:
    return SkillBook(
        database=storage.database,
        privacy=storage.privacy,
        environments=environments,
        workspace_id=storage.workspace(),
        offered=frozenset(CAPABILITIES),
    )


@pytest.fixture
def standing(storage: Storage, environments: Environments) -> SkillStanding:
    return SkillStanding(database=storage.database, privacy=storage.privacy, environments=environments)


@pytest.fixture
def documents(storage: Storage) -> Documents:
    return Documents(
        database=storage.database, privacy=storage.privacy, clock=storage.clock, retention=storage.retention
    )


@pytest.fixture
def person(storage: Storage) -> Callable[[str], UserId]:
    """Makes people."""

    def make(name: str) -> UserId:
        workspace_id = storage.workspace()
        with storage.database.begin() as session:
            made = admit(
                session,
                storage.privacy,
                Access("open"),
                workspace_id=workspace_id,
                channel="telegram",
                sender=Sender(name, name),
                now=storage.clock.now(),
            )
        assert made is not None
        return made.user_id

    return make


def _install(book: SkillBook, folder: Path) -> SkillView:
    offer = book.offer(folder)
    return book.install(offer, granted=offer.new_grants)


def _change(folder: Path, before: str, after: str, *, version: str) -> None:
    source = folder / "src" / "parlour_notes" / "__init__.py"
    source.write_text(source.read_text().replace(before, after))
    project = folder / "pyproject.toml"
    project.write_text(project.read_text().replace('version = "0.1.0"', f'version = "{version}"'))
    assert check(folder, is_freezing=True).problems == ()


# ---- installing -------------------------------------------------------------------------------------------------


def test_a_skill_is_shown_before_anything_of_it_runs(book: SkillBook, folder: Path) -> None:
    offer = book.offer(folder)

    assert offer.manifest.name == "notes"
    assert offer.new_grants == ("UserStore",)
    assert book.installed() == []


def test_what_is_not_granted_is_not_installed(book: SkillBook, folder: Path) -> None:
    with pytest.raises(GrantsMissing, match="UserStore"):
        book.install(book.offer(folder), granted=[])

    assert book.installed() == []


def test_an_installed_skill_answers_and_keeps_each_persons_notes_apart(
    book: SkillBook,
    folder: Path,
    environments: Environments,
    documents: Documents,
    person: Callable[[str], UserId],
    storage: Storage,
) -> None:
    skill = _install(book, folder)
    supervisor = Supervisor(starter(environments))
    people = {name: person(name) for name in ("ann", "bob")}

    def asks(name: str, handler: str, text: str = "") -> str:
        desk = HostDesk(Whose(skill.id, storage.workspace(), people[name]), skill.allowed, Services(documents))
        work = Work(handler, turn(text), settings=book.settings(skill))
        with supervisor.begin(skill, work, desk, timeout_s=60) as run:
            return "".join(as_markdown(reply) for reply in run)

    try:
        assert asks("ann", "answers:remember", "call the bank") == "Noted."
        assert asks("ann", "command:notes") == "- call the bank"
        assert asks("bob", "command:notes") == "None yet."
    finally:
        supervisor.close()


def test_an_upgrade_that_asks_for_more_asks_again(book: SkillBook, folder: Path) -> None:
    first = _install(book, folder)
    source = folder / "src" / "parlour_notes" / "__init__.py"
    source.write_text(source.read_text().replace("import Skill,", "import Model, Skill,"))
    _change(folder, "async def notes(mine: UserStore)", "async def notes(mine: UserStore, model: Model)", version="0.2")

    offer = book.offer(folder)

    assert offer.new_grants == ("Model",)
    with pytest.raises(GrantsMissing):
        book.install(offer, granted=[])
    assert book.get("notes") == first


def test_an_upgrade_keeps_settings_and_takes_the_old_folders_place(
    book: SkillBook, folder: Path, tmp_path: Path
) -> None:
    first = _install(book, folder)
    book.configure("notes", {"most": 3})
    _change(folder, "Keeps notes for you", "Keeps lists for you", version="0.2")

    second = _install(book, folder)

    assert (second.id, second.version) == (first.id, "0.2")
    assert book.settings(second) == {"most": 3}
    assert second.is_on_trial
    assert (tmp_path / "skills" / first.folder).exists()


def test_the_version_before_goes_when_the_new_one_has_answered(
    book: SkillBook, folder: Path, tmp_path: Path, standing: SkillStanding
) -> None:
    first = _install(book, folder)
    _change(folder, "Keeps notes for you", "Keeps lists for you", version="0.2")
    second = _install(book, folder)

    standing.passed(second.id, first.folder)  # a late word of a worker that still had the old one
    assert (tmp_path / "skills" / first.folder).exists()
    standing.passed(second.id, second.folder)

    assert not (tmp_path / "skills" / first.folder).exists()
    assert not book.get("notes").is_on_trial
    assert not standing.failed(second.id, second.folder)


def test_a_version_that_breaks_where_it_is_at_work_is_taken_back_by_itself(
    book: SkillBook, folder: Path, tmp_path: Path, standing: SkillStanding, environments: Environments
) -> None:
    first = _install(book, folder)
    source = folder / "src" / "parlour_notes" / "__init__.py"
    text = source.read_text().replace("import Skill,", "import Model, Skill,")
    source.write_text(text.replace("notes(mine: UserStore) -> str:", "notes(mine: UserStore, model: Model) -> str:"))
    _change(folder, '    """All notes of whoever asks."""', "    import os\n    os._exit(7)", version="0.2")
    second = _install(book, folder)
    supervisor = Supervisor(starter(environments), standing=standing)

    for _ in range(3):
        with (
            pytest.raises(SkillError),
            supervisor.begin(book.get("notes"), Work("command:notes", turn()), FakeDesk(), timeout_s=60) as run,
        ):
            list(run)
        if not book.get("notes").is_on_trial:
            break

    assert book.get("notes") == first
    assert not (tmp_path / "skills" / second.folder).exists()
    supervisor.close()


def test_of_several_versions_that_never_answered_the_last_good_one_is_kept(
    book: SkillBook, folder: Path, tmp_path: Path, standing: SkillStanding
) -> None:
    first = _install(book, folder)
    _change(folder, "Keeps notes for you", "Keeps lists for you", version="0.2")
    second = _install(book, folder)
    source = folder / "src" / "parlour_notes" / "__init__.py"
    source.write_text(source.read_text() + "# again\n")
    third = _install(book, folder)

    assert not (tmp_path / "skills" / second.folder).exists()
    assert standing.failed(third.id, third.folder)
    assert book.get("notes") == first


def test_a_skill_that_is_removed_on_trial_leaves_no_version(book: SkillBook, folder: Path, tmp_path: Path) -> None:
    _install(book, folder)
    _change(folder, "Keeps notes for you", "Keeps lists for you", version="0.2")
    _install(book, folder)

    book.remove("notes", with_data=False)

    assert [one.name for one in (tmp_path / "skills").iterdir() if not one.name.startswith("sdk-")] == []


def test_an_upgrade_that_does_not_come_up_changes_nothing(book: SkillBook, folder: Path, tmp_path: Path) -> None:
    first = _install(book, folder)
    _change(folder, "Keeps notes for you", "Keeps lists for you", version="0.2")
    source = folder / "src" / "parlour_notes" / "__init__.py"
    # Works where it is checked, and not where it runs.
    source.write_text(f"open('/etc/passwd').close()\n{source.read_text()}")

    with pytest.raises(InstallRefused, match="PermissionError"):
        _install(book, folder)

    assert book.get("notes") == first
    left = {path.name for path in (tmp_path / "skills").iterdir() if not path.name.startswith("sdk-")}
    assert left == {first.folder}


def test_code_that_does_more_than_its_manifest_is_not_installed(book: SkillBook, folder: Path) -> None:
    source = folder / "src" / "parlour_notes" / "__init__.py"
    text = source.read_text().replace("import Skill,", "import Http, Skill,")
    source.write_text(text.replace("async def notes(mine: UserStore)", "async def notes(mine: UserStore, http: Http)"))

    with pytest.raises(InstallRefused):
        _install(book, folder)

    assert book.installed() == []


def test_a_skill_that_needs_what_this_parlour_has_not_is_refused(
    storage: Storage, environments: Environments, folder: Path
) -> None:
    book = SkillBook(
        database=storage.database,
        privacy=storage.privacy,
        environments=environments,
        workspace_id=storage.workspace(),
        offered=frozenset(),
    )

    with pytest.raises(InstallRefused, match="needs UserStore, which this Parlour has not yet"):
        book.offer(folder)


def test_who_changed_what_stands_in_the_audit_log_and_no_value_does(
    book: SkillBook, folder: Path, storage: Storage
) -> None:
    _install(book, folder)
    book.configure("notes", {"most": 7})
    book.enable("notes", is_enabled=False, channel="slack")
    book.remove("notes", with_data=True)

    entries = tail(storage.database, storage.privacy, subject="notes")

    assert [(one.action, one.actor) for one in reversed(entries)] == [
        ("skill.install", "system"),
        ("skill.configure", "system"),
        ("skill.disable", "system"),
        ("skill.remove", "system"),
    ]
    assert [one.reason for one in reversed(entries)][1:] == ["most", "channel slack", "with its data"]


def test_an_unknown_skill_is_told_with_those_that_are_there(book: SkillBook, folder: Path) -> None:
    _install(book, folder)

    with pytest.raises(NoSuchSkill, match=r"No skill named 'tax'\. Installed: notes"):
        book.get("tax")


def test_a_skill_is_disabled_and_enabled(book: SkillBook, folder: Path) -> None:
    _install(book, folder)

    book.enable("notes", is_enabled=False)
    assert not book.get("notes").is_enabled

    book.enable("notes", is_enabled=True)
    assert book.get("notes").is_enabled


def test_where_a_skill_is_enabled_the_narrowest_word_counts(book: SkillBook, folder: Path, storage: Storage) -> None:
    _install(book, folder)
    slack, telegram = (_conversation(storage, channel) for channel in ("slack", "telegram"))

    def enabled() -> list[bool]:
        return [book.get("notes").is_enabled_in(place) for place in (slack, telegram)]

    assert enabled() == [True, True]

    book.enable("notes", is_enabled=False, channel="slack")
    assert enabled() == [False, True]

    book.enable("notes", is_enabled=True, conversation_id=slack.conversation_id)
    assert enabled() == [True, True]

    book.enable("notes", is_enabled=False, conversation_id=slack.conversation_id)
    assert enabled() == [False, True]

    book.enable("notes", is_enabled=False)
    assert enabled() == [False, False]
    assert not book.get("notes").is_at_work

    book.enable("notes", is_enabled=True, channel="telegram")
    assert enabled() == [False, True]
    assert book.get("notes").is_at_work


def test_a_skill_is_not_enabled_in_another_workspaces_conversation(
    book: SkillBook, folder: Path, storage: Storage
) -> None:
    _install(book, folder)
    other = _conversation(storage, "slack", workspace="other")

    with pytest.raises(NoSuchConversation, match=str(other.conversation_id)):
        book.enable("notes", is_enabled=True, conversation_id=other.conversation_id)

    assert book.get("notes").scopes == ()


def _conversation(storage: Storage, channel: str, workspace: str = "default") -> Place:
    accounts = storage.accounts(workspace)
    now = storage.clock.now()
    row = Conversation(id=new_id(), workspace_id=accounts.ensure_workspace(), created_at=now)
    row.account_id = accounts.register(channel, f"bot-{workspace}", "Bot")
    row.lookup_hash, row.address, row.is_private = b"0" * 32, b"", False
    with storage.database.begin() as session:
        session.add(row)
    return Place(accounts.ensure_workspace(), channel, ConversationId(row.id))


def test_the_same_name_twice_is_refused_with_the_way_to_upgrade(book: SkillBook, folder: Path) -> None:
    first = _install(book, folder)

    with pytest.raises(InstallRefused, match=r"installed already, version 0.1.0. Upgrade it: parlour skill upgrade"):
        book.offer_new(folder)

    assert book.get("notes") == first


def test_a_dry_run_of_an_upgrade_changes_nothing(book: SkillBook, folder: Path, tmp_path: Path) -> None:
    first = _install(book, folder)
    _change(folder, "Keeps notes for you", "Keeps lists for you", version="0.2")

    offer = book.offer_upgrade("notes")
    book.try_out(offer)

    assert (offer.manifest.version, book.get("notes")) == ("0.2", first)
    left = {path.name for path in (tmp_path / "skills").iterdir() if not path.name.startswith("sdk-")}
    assert left == {first.folder}


def test_an_upgrade_that_the_settings_do_not_fit_is_refused(book: SkillBook, folder: Path) -> None:
    first = _install(book, folder)
    book.configure("notes", {"most": 3})
    source = folder / "src" / "parlour_notes" / "__init__.py"
    source.write_text(source.read_text().replace('len(await mine.all("note")) >= settings.most', "settings.most"))
    _change(folder, 'Annotated[int, "How many notes a person may keep"] = 50', 'str = "many"', version="0.2")

    with pytest.raises(BadSettings, match=r"most must be of type string. Take it back first: parlour skill configure"):
        book.offer_upgrade("notes", folder)

    assert book.get("notes") == first


def test_another_skill_is_no_upgrade(book: SkillBook, folder: Path, tmp_path: Path) -> None:
    _install(book, folder)
    new_skill(tmp_path, "lists")

    with pytest.raises(InstallRefused, match="holds the skill lists, not notes"):
        book.offer_upgrade("notes", tmp_path / "lists")


def test_a_disabled_skill_stays_so_over_an_upgrade(book: SkillBook, folder: Path) -> None:
    _install(book, folder)
    book.enable("notes", is_enabled=False)
    _change(folder, "Keeps notes for you", "Keeps lists for you", version="0.2")

    _install(book, folder)

    assert (book.get("notes").version, book.get("notes").is_enabled) == ("0.2", False)


# ---- settings ---------------------------------------------------------------------------------------------------


def test_a_setting_is_checked_sealed_and_taken_back(book: SkillBook, folder: Path, storage: Storage) -> None:
    skill = _install(book, folder)
    assert book.settings(skill) == {"most": 50}

    book.configure("notes", {"most": 4711})
    assert book.settings(skill) == {"most": 4711}
    with storage.database.read() as session:
        assert b"4711" not in session.query(SkillSetting).one().value

    book.configure("notes", {"most": None})
    assert book.settings(skill) == {"most": 50}


@pytest.mark.parametrize(
    ("values", "problem"), [({"most": "many"}, "most must be of type integer"), ({"least": 1}, "least is unknown")]
)
def test_a_setting_that_does_not_fit_is_refused(book: SkillBook, folder: Path, values: dict, problem: str) -> None:
    skill = _install(book, folder)

    with pytest.raises(BadSettings, match=problem):
        book.configure("notes", values)

    assert book.settings(skill) == {"most": 50}


def test_a_secret_is_handed_out_only_when_it_is_asked_for(book: SkillBook, folder: Path) -> None:
    source = folder / "src" / "parlour_notes" / "__init__.py"
    text = source.read_text().replace("import Skill,", "import Secret, Skill,")
    source.write_text(text.replace("= 50\n", '= 50\n    key: Secret = Secret("")\n'))
    check(folder, is_freezing=True)
    skill = _install(book, folder)

    book.configure("notes", {"key": "hunter2"})

    assert book.settings(skill) == {"most": 50}
    assert book.settings(skill, with_secrets=True) == {"most": 50, "key": "hunter2"}


# ---- removing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_data", [True, False])
def test_removing_keeps_what_was_stored_or_not(
    book: SkillBook, folder: Path, documents: Documents, storage: Storage, *, with_data: bool
) -> None:
    skill = _install(book, folder)
    shelf = Shelf(skill.id, storage.workspace())
    documents.put(shelf, "note", {"text": "shared"}, None)

    book.remove("notes", with_data=with_data)
    again = _install(book, folder)

    assert (again.id == skill.id) is not with_data
    kept = documents.all(Shelf(again.id, storage.workspace()), "note")
    assert [one["text"] for one in kept] == ([] if with_data else ["shared"])


@pytest.mark.parametrize("is_on_person", [True, False])
def test_what_a_skill_keeps_of_somebody_under_a_hold_is_not_removed_with_it(
    book: SkillBook, folder: Path, documents: Documents, storage: Storage, person: Callable[[str], UserId],
    *, is_on_person: bool,
) -> None:  # fmt: skip
    skill, ann = _install(book, folder), person("ann")
    documents.put(Shelf(skill.id, storage.workspace(), ann), "note", {"text": "kept"}, None)
    hold_id = _hold(storage, ann if is_on_person else None)

    with pytest.raises(UnderHold, match=str(hold_id)):
        book.remove("notes", with_data=True)

    assert len(documents.all(Shelf(skill.id, storage.workspace(), ann), "note")) == 1
    book.remove("notes", with_data=False)
    release_hold(storage.database, storage.privacy, str(hold_id), reason="settled", actor="command:test")
    _install(book, folder)
    book.remove("notes", with_data=True)


def test_a_hold_on_others_does_not_keep_a_skill_from_being_removed(
    book: SkillBook, folder: Path, documents: Documents, storage: Storage, person: Callable[[str], UserId]
) -> None:
    skill = _install(book, folder)
    documents.put(Shelf(skill.id, storage.workspace(), person("ann")), "note", {"text": "mine"}, None)
    _hold(storage, person("ben"))

    book.remove("notes", with_data=True)

    assert book.installed() == []


def test_a_document_that_a_skill_deletes_under_a_hold_is_out_of_use_and_goes_when_that_ends(
    book: SkillBook, folder: Path, documents: Documents, storage: Storage, person: Callable[[str], UserId]
) -> None:
    ann = person("ann")
    shelf = Shelf(_install(book, folder).id, storage.workspace(), ann)
    documents.put(shelf, "note", {"text": "one"}, "same")
    hold_id = _hold(storage, ann)

    gone = [documents.delete(shelf, "note", "same") for _ in range(2)]
    left = documents.get(shelf, "note", "same"), documents.all(shelf, "note")
    documents.put(shelf, "note", {"text": "two"}, "same")
    purge_expired(storage.database, now=storage.clock.now())

    assert (gone, left) == ([True, False], (None, []))
    assert [one["text"] for one in documents.all(shelf, "note")] == ["two"]
    assert _texts(storage, ann) == {"one", "two"}
    release_hold(storage.database, storage.privacy, str(hold_id), reason="settled", actor="command:test")
    purge_expired(storage.database, now=storage.clock.now())
    assert _texts(storage, ann) == {"two"}


def test_linking_under_a_hold_keeps_the_document_that_another_takes_the_place_of(
    book: SkillBook, folder: Path, documents: Documents, storage: Storage, person: Callable[[str], UserId]
) -> None:
    skill, ann, ben = _install(book, folder), person("ann"), person("ben")
    for one, text in ((ann, "stays"), (ben, "goes")):
        documents.put(Shelf(skill.id, storage.workspace(), one), "note", {"text": text}, "same")
    _hold(storage, ben)

    with storage.database.begin() as session:
        move_documents(session, storage.privacy, from_id=ben, to_id=ann)

    assert (_texts(storage, ann), _texts(storage, ben)) == ({"stays"}, {"goes"})
    assert documents.all(Shelf(skill.id, storage.workspace(), ben), "note") == []


def _hold(storage: Storage, user_id: UserId | None) -> UUID:
    """Put the person, or the whole workspace, under a legal hold."""
    return add_hold(
        storage.database,
        storage.privacy,
        workspace_id=storage.workspace(),
        user_id=user_id,
        reason="a dispute",
        actor="command:test",
    )


def _texts(storage: Storage, user_id: UserId) -> set[str]:
    """What the person's rows say, opened, whether anybody reads them or not."""
    open_text = storage.privacy.sealer.open_text
    with storage.database.read() as session:
        rows = session.scalars(select(SkillDocument).where(SkillDocument.user_id == user_id)).all()
    return {json.loads(open_text(user_id, SkillDocument.body, row.id, row.body))["text"] for row in rows}


# ---- documents --------------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(book: SkillBook, folder: Path, person: Callable[[str], UserId], storage: Storage) -> Shelf:
    return Shelf(_install(book, folder).id, storage.workspace(), person("ann"))


def test_a_document_comes_back_with_its_id_and_is_replaced_under_it(documents: Documents, shelf: Shelf) -> None:
    name = documents.put(shelf, "note", {"text": "one 你好"}, None)
    assert documents.get(shelf, "note", name) == {"text": "one 你好", "id": name}

    documents.put(shelf, "note", {"text": "two"}, name)
    assert documents.all(shelf, "note") == [{"text": "two", "id": name}]

    assert documents.delete(shelf, "note", name)
    assert not documents.delete(shelf, "note", name)
    assert documents.get(shelf, "note", name) is None


def test_a_document_is_sealed_id_included(documents: Documents, shelf: Shelf, storage: Storage) -> None:
    documents.put(shelf, "note", {"text": "MARKER"}, "MARKER-id")

    with storage.database.read() as session:
        row = session.query(SkillDocument).one()
        assert b"MARKER" not in row.body + row.lookup_hash


def test_shelves_are_apart(
    documents: Documents, shelf: Shelf, person: Callable[[str], UserId], storage: Storage
) -> None:
    documents.put(shelf, "note", {"text": "ann's"}, "same")

    for other in (Shelf(shelf.skill_id, shelf.workspace_id, person("bob")), Shelf(shelf.skill_id, shelf.workspace_id)):
        assert documents.get(other, "note", "same") is None
        assert not documents.delete(other, "note", "same")


@pytest.mark.parametrize("document", [{"x": float("nan")}, {"x": b"bytes"}, {"x": {1, 2}}])
def test_what_json_has_not_is_no_document(documents: Documents, shelf: Shelf, document: dict) -> None:
    with pytest.raises(Invalid):
        documents.put(shelf, "note", document, None)


def test_a_document_has_a_largest_size(documents: Documents, shelf: Shelf) -> None:
    with pytest.raises(TooMuch):
        documents.put(shelf, "note", {"text": "x" * 64_001}, None)


# ---- the desk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(book: SkillBook, shelf: Shelf, documents: Documents) -> HostDesk:
    skill = book.get("notes")
    return HostDesk(Whose(shelf.skill_id, shelf.workspace_id, shelf.user_id), skill.allowed, Services(documents))


@pytest.mark.parametrize(
    ("capability", "method", "arguments", "refusal"),
    [
        ("SharedStore", "all", {"kind": "note"}, NotGranted),
        ("Http", "get", {"url": "https://x.example/", "headers": {}}, NotGranted),
        ("UserStore", "drop_everything", {}, NotGranted),
        ("UserStore", "__class__", {}, NotGranted),
        ("call", "", {}, NotGranted),
        ("UserStore", "all", {"kind": "other"}, NotGranted),
        ("UserStore", "all", {"kind": "note", "user_id": "bob"}, Invalid),
        ("UserStore", "all", {}, Invalid),
        ("UserStore", "all", {"kind": 7}, Invalid),
        ("UserStore", "get", {"kind": "note", "id": ""}, Invalid),
        ("UserStore", "put", {"kind": "note", "document": [], "id": None}, Invalid),
    ],
)
def test_what_a_skill_may_not_is_refused(
    desk: HostDesk, capability: str, method: str, arguments: dict, refusal: type[CapabilityError]
) -> None:
    with pytest.raises(refusal):
        desk.call(capability, method, arguments)


def test_a_job_has_no_persons_store(book: SkillBook, shelf: Shelf, documents: Documents) -> None:
    desk = HostDesk(Whose(shelf.skill_id, shelf.workspace_id, None), book.get("notes").allowed, Services(documents))

    with pytest.raises(NotAvailable, match="A job has no person"):
        desk.call("UserStore", "all", {"kind": "note"})
