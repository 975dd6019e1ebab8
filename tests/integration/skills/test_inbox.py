"""Files and events for a skill, and what it may count of everybody's documents: real processes, both databases."""

import shutil
from collections.abc import Generator, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from parlour.people.admit import Access, admit
from parlour.sdk.crowd import LEAST_PEOPLE
from parlour.sdk.replies import Reply, as_markdown
from parlour.skills.authoring import check, new_skill
from parlour.skills.crowd import CrowdCounts
from parlour.skills.documents import Documents, Shelf
from parlour.skills.environment import Environments
from parlour.skills.errors import BadInput, NoSuchSkill, SkillUnavailable
from parlour.skills.inbox import Report, SkillInbox, open_inbox
from parlour.skills.service import SkillBook
from parlour.skills.supervisor import Supervisor, starter
from parlour.store.ids import UserId
from parlour.turns.ports import Sender
from tests.support.storage import Storage

SKILL = '''
"""A skill that is told and handed things."""

from parlour.sdk import Crowd, Skill, Upload, UserStore

skill = Skill("shop", "Counts", keeps={"bought": "what people bought"})


@skill.event("bought")
async def bought(plant: str, mine: UserStore) -> int:
    """A person bought a plant."""
    await mine.put("bought", {"plant": plant}, id=plant)
    return len(await mine.all("bought"))


@skill.imports("list", "Anything")
async def take(upload: Upload, crowd: Crowd) -> str:
    """Its length, and what many bought."""
    size = 0
    async for piece in upload.pieces():
        size += len(piece)
    pairs = [pair async for pair in crowd.pairs("bought", "plant", within=1)]
    return f"{size} {await crowd.counts('bought', 'plant')} {await crowd.counts('bought', 'plant', days=7)} {pairs}"


@skill.imports("rows", "Rows; empty ones are refused, and one that says HOSTILE lies about it")
async def rows(upload: Upload) -> str:
    """How many are good."""
    lines = b"".join([piece async for piece in upload.pieces()]).decode().split(",")
    if lines == ["HOSTILE"]:
        for kept, wrong in ((-1, []), (1, [["one", "x"]]), (1, [[n, "x"] for n in range(101)])):
            try:
                await upload._line.call("Upload", "report", kept=kept, refused=0, rows=wrong)
            except Exception as error:
                yield type(error).__name__ + " "
        return
    good = [line for line in lines if line]
    empty = {number: "is empty" for number, line in enumerate(lines, start=1) if not line}
    await upload.report(kept=len(good), refused=len(empty), rows=empty)
    yield f"{len(good)} rows."
'''


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    new_skill(folder, "shop")
    (folder / "shop/src/parlour_shop/__init__.py").write_text(SKILL)
    assert check(folder / "shop", is_freezing=True).problems == ()
    return folder / "shop"


@pytest.fixture
def book(storage: Storage, tmp_path: Path, made: Path) -> SkillBook:
    book = SkillBook(
        database=storage.database,
        privacy=storage.privacy,
        environments=Environments(tmp_path / "skills"),
        workspace_id=storage.workspace(),
        offered=frozenset({"UserStore", "Crowd", "Upload"}),
    )
    offer = book.offer(made)
    book.install(offer, granted=offer.new_grants)
    return book


@pytest.fixture
def inbox(storage: Storage, book: SkillBook, tmp_path: Path) -> Iterator[SkillInbox]:
    inbox = SkillInbox(
        book_of=lambda _: book,
        supervisor=Supervisor(starter(Environments(tmp_path / "skills"))),
        documents=_documents(storage),
        crowd=CrowdCounts(database=storage.database, privacy=storage.privacy, clock=storage.clock),
    )
    yield inbox
    inbox.close()


def _documents(storage: Storage) -> Documents:
    return Documents(
        database=storage.database, privacy=storage.privacy, clock=storage.clock, retention=storage.retention
    )


def _person(storage: Storage, name: str) -> UserId:
    workspace_id = storage.workspace()
    sender = Sender(name, name)
    with storage.database.begin() as session:
        access = Access("open")
        made = admit(
            session, storage.privacy, access, workspace_id=workspace_id, channel="telegram", sender=sender,
            now=storage.clock.now(),
        )  # fmt: skip
    assert made is not None
    return made.user_id


def test_events_are_kept_with_the_person_and_counted_only_when_many_share_them(
    storage: Storage, book: SkillBook, inbox: SkillInbox, tmp_path: Path
) -> None:
    workspace_id, people = storage.workspace(), [_person(storage, f"p{number}") for number in range(LEAST_PEOPLE)]
    for user_id in people:
        assert inbox.tell(workspace_id, user_id, "shop", "bought", {"plant": "ficus"}) == 1
        inbox.tell(workspace_id, user_id, "shop", "bought", {"plant": "agave"})
    inbox.tell(workspace_id, people[0], "shop", "bought", {"plant": "orchid"})
    (tmp_path / "file").write_bytes(b"x" * 2_500_000)

    read: list[int] = []
    told = inbox.take_in(workspace_id, "shop", "list", tmp_path / "file", on_progress=read.append)

    many = {"ficus": LEAST_PEOPLE, "agave": LEAST_PEOPLE}
    assert "".join(map(as_markdown, told)) == f"2500000 {many} {many} [('ficus', 'agave', {LEAST_PEOPLE})]"
    assert read[-1] == 2_500_000
    assert max(later - earlier for earlier, later in pairwise(read)) == 1_000_000

    # One has taken it back: those who are left are too few to be told of.
    documents, skill_id = _documents(storage), book.get("shop").id
    assert documents.delete(Shelf(skill_id, workspace_id, people[-1]), "bought", "ficus")
    (tmp_path / "file").write_bytes(b"")
    told = inbox.take_in(workspace_id, "shop", "list", tmp_path / "file")
    few = {"agave": LEAST_PEOPLE}
    assert "".join(map(as_markdown, told)) == f"0 {few} {few} []"


def _reported(told: Generator[Reply, None, Report | None]) -> tuple[str, Report | None]:
    said = ""
    while True:
        try:
            said += as_markdown(next(told))
        except StopIteration as end:
            return said, end.value


def test_what_was_kept_is_reported_with_the_rows_that_were_not(
    storage: Storage, book: SkillBook, inbox: SkillInbox, tmp_path: Path
) -> None:
    workspace_id, file = storage.workspace(), tmp_path / "file"

    def handed(content: str, what: str = "rows") -> tuple[str, Report | None]:
        file.write_text(content)
        return _reported(inbox.take_in(workspace_id, "shop", what, file))

    assert handed("a,,b") == ("2 rows.", Report(2, 1, {2: "is empty"}))
    assert handed("," * 149) == ("0 rows.", Report(0, 150, dict.fromkeys(range(1, 101), "is empty")))
    assert handed("HOSTILE") == ("Invalid Invalid Invalid ", None)
    assert handed("x", "list")[1] is None


def test_what_is_not_there_is_named(storage: Storage, book: SkillBook, inbox: SkillInbox, tmp_path: Path) -> None:
    workspace_id = storage.workspace()
    user_id = _person(storage, "ann")

    with pytest.raises(BadInput, match="There are: list"):
        list(inbox.take_in(workspace_id, "shop", "catalogue", tmp_path / "file"))
    with pytest.raises(BadInput, match="is no file"):
        list(inbox.take_in(workspace_id, "shop", "list", tmp_path / "gone.csv"))
    with pytest.raises(NoSuchSkill):
        list(inbox.take_in(workspace_id, "tax", "list", tmp_path / "file"))
    with pytest.raises(BadInput, match="plant is missing"):
        inbox.tell(workspace_id, user_id, "shop", "bought", {})
    book.enable("shop", is_enabled=False)
    with pytest.raises(SkillUnavailable, match="parlour skill enable shop"):
        inbox.tell(workspace_id, user_id, "shop", "bought", {"plant": "ficus"})


def test_a_new_version_that_is_only_handed_files_stands_once_it_has_taken_one(
    storage: Storage, book: SkillBook, made: Path, tmp_path: Path
) -> None:
    """Else the version before it would be kept for ever, and put back at some break long after."""
    first, newer, file = book.get("shop"), tmp_path / "newer", tmp_path / "file"
    shutil.copytree(made, newer)
    project, source = newer / "pyproject.toml", newer / "src/parlour_shop/__init__.py"
    project.write_text(project.read_text().replace(f'version = "{first.version}"', 'version = "9"'))
    source.write_text(source.read_text().replace('"Counts"', '"Counts well"'))
    assert check(newer, is_freezing=True).problems == ()
    book.install(book.offer(newer), granted=[])
    file.write_text("a,b")
    assert book.get("shop").is_on_trial

    inbox = open_inbox(database=storage.database, privacy=storage.privacy, retention=storage.retention, book=book)
    list(inbox.take_in(book.workspace_id, "shop", "rows", file))
    inbox.close()

    assert not book.get("shop").is_on_trial
    assert not (tmp_path / "skills" / first.folder).exists()
