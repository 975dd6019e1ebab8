"""Where a process's skills are at work: finds the one that a turn is for, and streams what it answers."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

import structlog

from parlour.engines.protocol import Piece, Request
from parlour.privacy.lookup import Lookup
from parlour.sdk.errors import Invalid
from parlour.sdk.manifest import Entry
from parlour.skills.asking import Asking, Chain, Questions
from parlour.skills.crowd import CrowdCounts
from parlour.skills.desk import HandoffPort, HostDesk, NotifyPort, Services, Whose
from parlour.skills.documents import Documents
from parlour.skills.errors import SkillBroke, SkillError, SkillFailed, SkillRemoved
from parlour.skills.files import SkillFiles
from parlour.skills.forgetting import Forgetting
from parlour.skills.http import SkillHttp
from parlour.skills.inbox import SkillInbox
from parlour.skills.jobs import JobClaim
from parlour.skills.model import Ask, Pieces, TurnModel
from parlour.skills.process import Run, Work
from parlour.skills.rich import Gathering, Rich
from parlour.skills.routing import Bound, Chosen, Route, Router, ToolUse
from parlour.skills.service import ITSELF, SkillBook
from parlour.skills.supervisor import Supervisor
from parlour.skills.tool_talk import ToolTalk
from parlour.skills.tools import Toolbox
from parlour.skills.views import Place, SkillView
from parlour.skills.wording import apology, nothing_said
from parlour.store.ids import ConversationId, TurnId, UserId, WorkspaceId

log = structlog.get_logger(__name__)

# What was installed, disabled or removed elsewhere is noticed so soon; in between, a turn costs no query.
_NOTICED_AFTER_S: Final = 2.0
RUN_TIMEOUT_S: Final = 120.0
JOB_TIMEOUT_S: Final = 900.0
# A job finds what everybody may find.
_JOB_ROLE: Final = "member"
# Enough for a choice among a few; what is longer is none.
_CHOICE_TOKENS: Final = 32
_MOST_TOOLS: Final = 32

# What answers a skill's calls here; a skill that asks for more is refused before anything of it is installed.
OFFERED: Final = frozenset(
    {"Model", "Knowledge", "UserStore", "SharedStore", "Crowd", "Upload", "Http", "Notify", "Handoff"}
    | {"Vectors", "Secrets", "Skills", "Files"}
)

# A vector of length 1 for each text. Raises `NotAvailable` where there is no model to embed with.
Embed = Callable[[Sequence[str]], list[list[float]]]
# Passages for a person of that workspace and role.
Search = Callable[[WorkspaceId, str, str, int], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A turn, as far as skills need it; all of it from the host's own rows."""

    turn_id: TurnId
    conversation_id: ConversationId
    workspace_id: WorkspaceId
    user_id: UserId
    text: str
    language: str
    channel: str
    role: str
    is_private: bool

    @property
    def place(self) -> Place:
        """Where it was said, which decides what skills there are."""
        return Place(self.workspace_id, self.channel, self.conversation_id)


class SkillRoom:
    """All skills of this process."""

    def __init__(  # noqa: PLR0913 (each a part of its own; one place calls this)
        self,
        *,
        book_of: Callable[[WorkspaceId], SkillBook],
        supervisor: Supervisor,
        documents: Documents,
        crowd: CrowdCounts,
        lookup: Lookup,
        http: SkillHttp | None = None,
        files: SkillFiles | None = None,
        notify: NotifyPort | None = None,
        handoff: HandoffPort | None = None,
        search: Search | None = None,
        router: Router | None = None,
        embed: Embed | None = None,
        forgetting: Forgetting | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book_of = book_of
        self._supervisor = supervisor
        self._documents = documents
        self._crowd = crowd
        self._lookup = lookup
        self._http = http or SkillHttp()
        self._files = files
        self._notify = notify
        self._handoff = handoff
        self._search = search
        self._router = router or Router()
        self._embed = embed
        self._forgetting = forgetting
        self._monotonic = monotonic
        self._known: dict[WorkspaceId, tuple[float, Sequence[SkillView]]] = {}
        self._lock = threading.Lock()

    def is_empty(self, place: Place) -> bool:
        """Whether there is nothing to route to: then every turn is plain chat, at no cost."""
        return not self._enabled(place)

    def choose(self, asked: Asked, bound: Bound, ask: Ask, request: Request) -> tuple[Chosen | None, Route]:
        """The handler that the turn is for, None for plain chat, and why. The model is asked only where it is close."""
        model = TurnModel(ask, request)
        return self._router.choose(
            self._enabled(asked.place),
            asked.text,
            bound,
            lambda prompt, schema, task: model.extract(prompt, schema, system=task, max_tokens=_CHOICE_TOKENS),
        )

    def answer(
        self, asked: Asked, chosen: Chosen, ask: Ask, request: Request, *, is_native: bool = False
    ) -> "SkillAnswer":  # fmt: skip
        """What the skill answers, as the engine's answers come; `request` is the turn's own prompt."""
        toolbox = self._toolbox(asked, _tools_of([chosen.skill]), ask, request)

        chain = Chain(Questions(toolbox.uses))

        def with_tools(prompt: Request) -> Pieces:
            return ToolTalk(ask, prompt, toolbox, is_native=is_native) if toolbox else ask(prompt)

        return SkillAnswer(
            chosen,
            asked,
            lambda: self._begin(asked, chosen, ask, request, with_tools=with_tools, chain=chain),
            toolbox,
            is_there=lambda: self._book_of(asked.workspace_id).is_there(chosen.skill.id),
        )

    def chat(self, asked: Asked, route: Route, ask: Ask, request: Request, *, is_native: bool) -> ToolTalk | None:
        """Plain chat in which the model may call tools of enabled skills; None where there are none to offer."""
        skills = self._enabled(asked.place)
        # An engine that does not call tools by itself is asked one more question for every answer. That is spared
        # where no skill is near, and so is a small model's habit of calling whatever it is offered.
        tools = _tools_of(skills) if is_native else self._router.tools_near(skills, asked.text, route)
        toolbox = self._toolbox(asked, tools, ask, request)
        named = replace(request, id=f"{request.id}:chat")
        return ToolTalk(ask, named, toolbox, is_native=is_native) if toolbox else None

    def book(self, workspace_id: WorkspaceId, *, actor: str = ITSELF) -> SkillBook:
        """The skills of a workspace, for whoever changes them."""
        return self._book_of(workspace_id).for_actor(actor)

    def inbox(self) -> SkillInbox:
        """For what comes from outside of conversations, over the processes of this room."""
        return SkillInbox(
            book_of=self._book_of, supervisor=self._supervisor, documents=self._documents, crowd=self._crowd
        )

    def close(self) -> None:
        """End all processes of skills."""
        if self._forgetting is not None:
            self._forgetting.close()
        self._supervisor.close()

    def _toolbox(self, asked: Asked, tools: Sequence[tuple[SkillView, Entry]], ask: Ask, request: Request) -> Toolbox:
        numbers = count(1)

        def call(skill: SkillView, entry: Entry, arguments: Mapping[str, Any], seconds: float) -> object:
            chosen = Chosen(skill, entry, asked.text)
            # Tools may run side by side, and what each asks of the engine needs a name of its own.
            named = replace(request, id=f"{request.id}:tool{next(numbers)}")
            with self._begin(asked, chosen, ask, named, arguments=arguments, timeout_s=seconds, chain=chain) as run:
                for _ in run:
                    """A tool has no replies; what it returned is the run's value."""
                return run.value

        toolbox = Toolbox(tools[:_MOST_TOOLS], call, monotonic=self._monotonic)
        # What tools ask of other skills is kept with the turn as they are.
        chain = Chain(Questions(toolbox.uses))
        return toolbox

    def _begin(
        self,
        asked: Asked,
        chosen: Chosen,
        ask: Ask,
        request: Request,
        *,
        chain: Chain,
        arguments: Mapping[str, Any] | None = None,
        with_tools: Ask | None = None,
        timeout_s: float = RUN_TIMEOUT_S,
    ) -> Run:
        skill, book = chosen.skill, self._book_of(asked.workspace_id)
        model = TurnModel(ask, request, with_tools)
        asking = self._asking(asked, ask, request, chain.to(skill.name), timeout_s)
        services = replace(self._services(skill, asked.workspace_id, asked.role, model), skills=asking)
        whose = Whose(skill.id, asked.workspace_id, asked.user_id, asked.conversation_id)
        settings = book.settings(skill)
        desk = HostDesk(whose, skill.allowed_with(settings), services)
        work = Work(chosen.entry.id, self._turn(asked, chosen), settings, arguments or {})
        if self._forgetting is not None:
            self._forgetting.watch()
        return self._supervisor.begin(skill, work, desk, timeout_s=timeout_s)

    def _asking(self, asked: Asked, ask: Ask, request: Request, chain: Chain, timeout_s: float) -> Asking:
        """What the skill at the end of the chain may ask, in the name of whose turn it is."""
        numbers = count(1)

        def begin(
            other: SkillView, entry: Entry, arguments: Mapping[str, Any], seconds: float, chain: Chain
        ) -> Run:  # fmt: skip
            # What was said to the skill that asks is not said to the other: it has its arguments.
            unsaid = replace(asked, text="")
            named = replace(request, id=f"{request.id}:{other.name}{next(numbers)}", messages=())
            chosen = Chosen(other, entry, "")
            return self._begin(unsaid, chosen, ask, named, arguments=arguments, timeout_s=seconds, chain=chain)

        return Asking(
            chain,
            others=lambda: self._enabled(asked.place),
            begin=begin,
            until=self._monotonic() + timeout_s,
            monotonic=self._monotonic,
        )

    @contextmanager
    def job(self, claim: JobClaim, arguments: Mapping[str, Any], ask: Ask, request: Request) -> Iterator[Run]:
        """A job's run, in a process of its own: one that hangs or takes all memory costs no person an answer.

        `request` is what its questions to the model are made of. Raises `SkillError`s.
        """
        skill, workspace_id = claim.skill, claim.workspace_id
        services = self._services(skill, workspace_id, _JOB_ROLE, TurnModel(ask, request))
        settings = self._book_of(workspace_id).settings(skill)
        desk = HostDesk(Whose(skill.id, workspace_id, None), skill.allowed_with(settings), services)
        work = Work(claim.handler, settings=settings, arguments=arguments)
        with self._supervisor.apart(skill) as process, process.begin(work, desk, timeout_s=JOB_TIMEOUT_S) as run:
            yield run

    def name_of(self, skill: SkillView, user_id: UserId) -> str:
        """What a person is called in this skill, and in no other."""
        return self._lookup.hash("skill-user", str(skill.id), str(user_id)).hex()[:32]

    def _services(self, skill: SkillView, workspace_id: WorkspaceId, role: str, model: TurnModel) -> Services:
        book, search = self._book_of(workspace_id), self._search
        return Services(
            documents=self._documents,
            crowd=self._crowd,
            http=self._http,
            files=self._files,
            model=model,
            search=None if search is None else lambda query, limit: search(workspace_id, role, query, limit),
            embed=self._embed,
            notify=self._notify,
            handoff=self._handoff,
            secret=lambda name: str(book.settings(skill, with_secrets=True).get(name, "")),
        )

    def _turn(self, asked: Asked, chosen: Chosen) -> dict[str, Any]:
        """The turn as the skill sees it. A person and a conversation have other names in every skill."""
        skill_id = str(chosen.skill.id)
        return {
            "id": str(asked.turn_id),
            "text": chosen.text,
            "language": asked.language,
            "user": self.name_of(chosen.skill, asked.user_id),
            "conversation": self._lookup.hash("skill-conversation", skill_id, str(asked.conversation_id)).hex()[:32],
            "channel": asked.channel,
            "role": asked.role,
            "is_private": asked.is_private,
            "command": chosen.entry.name if chosen.entry.kind == "command" else None,
            "is_reply": chosen.is_reply,
        }

    def _enabled(self, place: Place) -> list[SkillView]:
        return [skill for skill in self._installed(place.workspace_id) if skill.is_enabled_in(place)]

    def _installed(self, workspace_id: WorkspaceId) -> Sequence[SkillView]:
        known = self._known.get(workspace_id)
        now = self._monotonic()
        if known is None or now - known[0] >= _NOTICED_AFTER_S:
            with self._lock:
                known = self._known[workspace_id] = (now, self._book_of(workspace_id).installed())
        return known[1]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a skill could not answer: a code, and for operators the handler, the class and the place. No content."""

    skill: str
    code: str
    detail: str


class SkillAnswer:
    """A skill's answer in pieces, like an engine's, and what it has besides its text. Whatever goes wrong in the skill
    ends in an honest word.
    """

    def __init__(
        self, chosen: Chosen, asked: Asked, begin: Callable[[], Run], toolbox: Toolbox, *, is_there: Callable[[], bool]
    ) -> None:
        self._skill = chosen.skill.name
        self._handler = chosen.entry.id
        # Why there is no answer, or no more of it.
        self.failure: Failure | None = None
        self._is_there = is_there
        self._toolbox = toolbox
        self._asked = asked
        self._begin = begin
        self._run: Run | None = None
        self._is_cancelled = False
        self._gathering = Gathering()

    @property
    def rich(self) -> Rich:
        """Files, pictures and buttons that have come so far."""
        return self._gathering.rich

    @property
    def tools(self) -> Sequence[ToolUse]:
        """The tools that the model called for it so far, and what it asked of other skills."""
        return self._toolbox.uses

    @property
    def is_question(self) -> bool:
        """Whether the skill asked back, so that what the person says next is for it."""
        return self._gathering.is_question

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def cancel(self) -> None:
        """End it, from any thread."""
        self._is_cancelled = True
        if self._run is not None:
            self._run.cancel()

    def __iter__(self) -> Iterator[Piece]:
        """The pieces; the last one carries `finish`."""
        has_said = False
        try:
            for piece in self._pieces():
                has_said = has_said or bool(piece.text.strip())
                yield piece
        except SkillError as error:
            # Whatever broke in it: where it was taken out in the meantime, that is why.
            told = error if self._is_there() else SkillRemoved("It was taken out while it was at work.")
            self._note(told.code, error)
            word = apology(told, skill=self._skill, language=self._asked.language)
            yield Piece(f"\n\n{word}" if has_said else word)
        else:
            if not (has_said or self._gathering.rich or self._is_cancelled):
                log.warning("skill_said_nothing", skill=self._skill, handler=self._handler, turn_id=self._turn_id)
                yield Piece(nothing_said(skill=self._skill, language=self._asked.language))
        if not self._is_cancelled:
            yield Piece("", finish="stop")

    def _note(self, code: str, error: SkillError) -> None:
        reason = _reason(error)
        log.warning(
            "skill_answer_broke",
            skill=self._skill,
            handler=self._handler,
            turn_id=self._turn_id,
            code=code,
            reason=reason,
        )
        self.failure = Failure(self._skill, code, f"{code} in {self._handler}: {reason}")

    @property
    def _turn_id(self) -> str:
        return str(self._asked.turn_id)

    def _pieces(self) -> Iterator[Piece]:
        run = self._begin()
        self._run = run
        if self._is_cancelled:
            run.cancel()
        with run:
            for reply in run:
                try:
                    pieces = list(self._gathering.take(reply))
                except Invalid as error:
                    raise SkillBroke(str(error)) from None
                for piece in pieces:
                    yield Piece(piece)


def _reason(error: SkillError) -> str:
    """The class of what went wrong, and the place in the skill's code where it is known. No content."""
    if isinstance(error, SkillFailed):
        return f"{error.error} at {error.place}"
    return str(error).rstrip(".") if isinstance(error, SkillBroke) else type(error).__name__


def _tools_of(skills: Sequence[SkillView]) -> list[tuple[SkillView, Entry]]:
    return [(skill, entry) for skill in skills for entry in skill.manifest.of_kind("tool")]
