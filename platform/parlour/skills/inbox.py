"""What comes to skills from outside of conversations: files that an operator hands in, events told over the API."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from parlour.privacy.retention import Retention
from parlour.privacy.service import Privacy
from parlour.sdk.errors import Invalid
from parlour.sdk.manifest import Entry
from parlour.sdk.remote import MOST_ROWS_SHOWN
from parlour.sdk.replies import Reply
from parlour.sdk.schema import problems
from parlour.skills.crowd import CrowdCounts
from parlour.skills.desk import HostDesk, Services, Whose
from parlour.skills.documents import Documents
from parlour.skills.errors import BadInput, SkillUnavailable
from parlour.skills.http import SkillHttp
from parlour.skills.process import Work
from parlour.skills.service import SkillBook
from parlour.skills.standing import supervised
from parlour.skills.supervisor import Supervisor
from parlour.skills.views import SkillView
from parlour.store.database import Database
from parlour.store.ids import UserId, WorkspaceId

IMPORT_TIMEOUT_S: Final = 3_600.0
EVENT_TIMEOUT_S: Final = 30.0
_PIECE_BYTES: Final = 1_000_000
_LONGEST_WORD: Final = 200

# Told how many bytes of the file were read.
OnProgress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Report:
    """How an import went, as the skill says: rows kept and refused, and of some what is wrong, by their number."""

    kept: int
    refused: int
    rows: Mapping[int, str]


class HandedIn:
    """A file that a skill reads piece by piece and reports on. For one run."""

    def __init__(self, opened: BinaryIO, on_progress: OnProgress) -> None:
        self._opened = opened
        self._on_progress = on_progress
        self.said: Report | None = None

    def read(self, at: int) -> bytes:
        """The bytes from there on, a piece of them."""
        self._opened.seek(at)
        piece = self._opened.read(_PIECE_BYTES)
        self._on_progress(at + len(piece))
        return piece

    def report(self, kept: int, refused: int, rows: object) -> None:
        """Take what the skill says. Raises `Invalid` for what is no report."""
        if min(kept, refused) < 0 or not isinstance(rows, list) or len(rows) > MOST_ROWS_SHOWN:
            raise Invalid(f"Upload.report: counts are 0 or more, and at most {MOST_ROWS_SHOWN} rows are told.")
        wrong: dict[int, str] = {}
        for row in rows:
            match row:
                case [int(number), str(word)]:
                    wrong[number] = word[:_LONGEST_WORD]
                case _:
                    raise Invalid("Upload.report: a row is a number and a text on what is wrong with it.")
        self.said = Report(kept, refused, wrong)


class SkillInbox:
    """Files and events for skills of any workspace. Whose event it is comes from the caller, who has checked it."""

    def __init__(
        self,
        *,
        book_of: Callable[[WorkspaceId], SkillBook],
        supervisor: Supervisor,
        documents: Documents,
        crowd: CrowdCounts,
    ) -> None:
        self._book_of = book_of
        self._supervisor = supervisor
        self._documents = documents
        self._crowd = crowd

    def take_in(
        self, workspace_id: WorkspaceId, name: str, what: str, file: Path, *, on_progress: OnProgress = lambda _: None
    ) -> Generator[Reply, None, Report | None]:
        """Hand a file to the import `what` of a skill; what it answers, as it comes, and what it reports at last.

        Raises `BadInput` for a file or an import that is not there, `NoSuchSkill`, and what a skill's call raises.
        """
        skill, entry = self._entry(workspace_id, name, "import", what)
        if not file.is_file():
            raise BadInput(f"{file} is no file. Give the file to import.")
        with file.open("rb") as opened:
            handed_in = HandedIn(opened, on_progress)
            services = self._services(workspace_id, skill, upload=handed_in)
            settings = self._book_of(workspace_id).settings(skill)
            desk = HostDesk(Whose(skill.id, workspace_id, None), skill.allowed_with(settings), services)
            work = Work(entry.id, settings=settings)
            # Beside whoever answers people, for it may take an hour; and it counts for a new version as an answer does.
            with (
                self._supervisor.apart(skill) as process,
                process.begin(work, desk, timeout_s=IMPORT_TIMEOUT_S) as run,
            ):
                yield from run
            return handed_in.said

    def tell(
        self, workspace_id: WorkspaceId, user_id: UserId, name: str, what: str, arguments: Mapping[str, Any]
    ) -> object:
        """Tell a skill what a person did; what it returns. Raises as `take_in` does, and `BadInput` for arguments."""
        skill, entry = self._entry(workspace_id, name, "event", what)
        for problem in problems(entry.arguments, dict(arguments)):
            raise BadInput(f"{name} {what}: {problem}.")
        settings, services = self._book_of(workspace_id).settings(skill), self._services(workspace_id, skill)
        desk = HostDesk(Whose(skill.id, workspace_id, user_id), skill.allowed_with(settings), services)
        work = Work(entry.id, settings=settings, arguments=dict(arguments))
        with self._supervisor.begin(skill, work, desk, timeout_s=EVENT_TIMEOUT_S) as run:
            for _ in run:
                pass
            return run.value

    def close(self) -> None:
        """End the processes of skills."""
        self._supervisor.close()

    def _entry(self, workspace_id: WorkspaceId, name: str, kind: str, what: str) -> tuple[SkillView, Entry]:
        skill = self._book_of(workspace_id).get(name)
        if not skill.is_at_work:
            raise SkillUnavailable(f"The skill {name!r} is disabled. Enable it with: parlour skill enable {name}")
        there = {entry.name: entry for entry in skill.manifest.of_kind(kind)}
        if what not in there:
            raise BadInput(f"{name} has no {kind} {what!r}. There are: {', '.join(there) or 'none'}.")
        return skill, there[what]

    def _services(self, workspace_id: WorkspaceId, skill: SkillView, *, upload: HandedIn | None = None) -> Services:
        book = self._book_of(workspace_id)
        return Services(
            documents=self._documents,
            crowd=self._crowd,
            http=SkillHttp(),
            secret=lambda name: str(book.settings(skill, with_secrets=True).get(name, "")),
            upload=upload,
        )


def open_inbox(*, database: Database, privacy: Privacy, retention: Retention, book: SkillBook) -> SkillInbox:
    """An inbox for the skills of one workspace, with processes of its own."""
    return SkillInbox(
        book_of=lambda _: book,
        supervisor=supervised(database, privacy, book.environments),
        documents=Documents(database=database, privacy=privacy, clock=database.clock, retention=retention),
        crowd=CrowdCounts(database=database, privacy=privacy, clock=database.clock),
    )
