"""Runs a skill in memory, with a fake model, clock and stores: its tests need neither a platform nor a network.

```python
from parlour.sdk.testing import Rehearsal
from parlour_greenhouse import skill


def test_plants_are_remembered():
    rehearsal = Rehearsal(skill)

    rehearsal.command("plant", "ficus")

    assert rehearsal.command("plants").text == "ficus"
```
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from parlour.sdk import calling, crowd
from parlour.sdk.capabilities import Answer, FolderFile, Passage, Response, Turn
from parlour.sdk.errors import Invalid, NotAvailable, NotGranted
from parlour.sdk.handlers import Handler
from parlour.sdk.hosts import is_named
from parlour.sdk.replies import Reply, as_markdown, replies_of
from parlour.sdk.schema import folders_set, hosts_set, object_schema
from parlour.sdk.skill import Skill

T = TypeVar("T")
_START = datetime(2026, 1, 5, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Said:
    """What a skill answered."""

    replies: tuple[Reply, ...]

    @property
    def text(self) -> str:
        """All replies as one Markdown text."""
        return "".join(as_markdown(reply) for reply in self.replies)


class FakeModel:
    """A model that says what it is told to: a fixed text, or a function of the prompt. `prompts` are those it saw.

    `FakeModel(lambda prompt: "basil" if "basil" in prompt else "none")` answers each prompt by itself; for
    `Model.extract` the function returns what the schema asks for, a dict for one.
    """

    def __init__(self, says: str | Callable[[str], str] = "All well.") -> None:
        self.says = says
        self.prompts: list[str] = []
        self.passages: list[Passage] = []

    async def stream(
        self,
        about: Turn | str,
        *,
        grounded_in: Sequence[Passage] = (),
        system: str = "",
        max_tokens: int = 512,
        tools: bool = False,
    ) -> AsyncIterator[str]:
        """The answer, word by word. No tool is called: test them with `Rehearsal.tool`."""
        self.passages += grounded_in
        for word in self._answer(about.text if isinstance(about, Turn) else about).split(" "):
            yield f"{word} "

    async def complete(self, prompt: str, *, system: str = "", max_tokens: int = 512) -> str:
        """The answer."""
        return self._answer(prompt)

    async def choose(self, prompt: str, options: Sequence[str], *, system: str = "") -> str:
        """The answer where it is one of the options, else the first of them."""
        answer = self._answer(prompt)
        return answer if answer in options else options[0]

    async def extract(self, prompt: str, schema: Mapping[str, Any], *, system: str = "") -> Any:  # noqa: ANN401 (JSON)
        """The answer as it is: let `says` return what your schema asks for."""
        return self._answer(prompt)

    def _answer(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self.says(prompt) if callable(self.says) else self.says


class FakeClock:
    """A clock that stands still until a test, or `sleep`, moves it."""

    def __init__(self, start: datetime = _START) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time it was set to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Let time pass, at once."""
        self.advance(seconds)


class FakeStore:
    """Documents in memory."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self._ids = count(1)

    async def put(self, kind: str, document: Mapping[str, Any], *, id: str | None = None) -> str:  # noqa: A002
        """Store it."""
        name = id or f"document-{next(self._ids)}"
        self.documents[kind, name] = {**document, "id": name}
        return name

    async def get(self, kind: str, id: str) -> dict[str, Any] | None:  # noqa: A002
        """A copy of it."""
        found = self.documents.get((kind, id))
        return dict(found) if found else None

    async def all(self, kind: str) -> list[dict[str, Any]]:
        """Copies of all of a kind, oldest first."""
        return [dict(document) for (its, _), document in self.documents.items() if its == kind]

    async def delete(self, kind: str, id: str) -> bool:  # noqa: A002
        """Delete it."""
        return self.documents.pop((kind, id), None) is not None


class FakeCrowd:
    """Counts over the stores of all people of the rehearsal; `least` is how many people it takes.

    It knows no days: all documents are of today.
    """

    def __init__(self, stores: Mapping[str, FakeStore], *, least: int = crowd.LEAST_PEOPLE) -> None:
        self.stores = stores
        self.least = least

    async def counts(self, kind: str, field: str, *, days: int | None = None) -> dict[str, int]:
        """How many people have each value."""
        return crowd.counts(self._people(kind, field), least=self.least)

    async def pairs(self, kind: str, field: str, *, within: int | None = None) -> AsyncIterator[tuple[str, str, int]]:
        """Two values and how many people have both."""
        for pair in crowd.pairs(self._people(kind, field), within=within, least=self.least):
            yield pair

    def _people(self, kind: str, field: str) -> list[list[str]]:
        return [
            [
                str(document[field])
                for (its, _), document in store.documents.items()
                if its == kind and field in document
            ]
            for store in self.stores.values()
        ]


class FakeUpload:
    """A file in memory, read in small pieces. `kept`, `refused` and `rows` are what the skill reported last."""

    def __init__(self, content: bytes = b"", *, piece_bytes: int = 1_000) -> None:
        self.content = content
        self.piece_bytes = piece_bytes
        self.kept: int | None = None
        self.refused = 0
        self.rows: dict[int, str] = {}

    async def report(self, *, kept: int, refused: int = 0, rows: Mapping[int, str] | None = None) -> None:
        """Remember it."""
        self.kept, self.refused, self.rows = kept, refused, dict(rows or {})

    async def pieces(self) -> AsyncIterator[bytes]:
        """Its bytes."""
        for start in range(0, len(self.content), self.piece_bytes):
            yield self.content[start : start + self.piece_bytes]


class FakeKnowledge:
    """Passages that share a word with the query, those that share most first."""

    def __init__(self, *passages: Passage | str) -> None:
        self.passages = [one if isinstance(one, Passage) else Passage(one, "test") for one in passages]

    async def search(self, query: str, *, limit: int = 5) -> list[Passage]:
        """The nearest."""
        words = set(query.lower().split())
        scored = [(len(words & set(one.text.lower().split())), one) for one in self.passages]
        return [one for score, one in sorted(scored, key=lambda pair: -pair[0]) if score][:limit]


class FakeHttp:
    """Answers by address, and refuses hosts that the skill does not name. `requests` are those it saw."""

    def __init__(self, pages: Mapping[str, Response | str] | None = None) -> None:
        self.pages = dict(pages or {})
        self.requests: list[tuple[str, str]] = []
        self.hosts: tuple[str, ...] = ()

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Response:
        """The page."""
        return self._answer("GET", url)

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> Response:
        """The page."""
        return self._answer("POST", url)

    def _answer(self, method: str, url: str) -> Response:
        self.requests.append((method, url))
        host = url.split("://", 1)[-1].split("/", 1)[0].split(":", 1)[0].lower()
        if not is_named(host, self.hosts):
            raise NotGranted(f"The host {host} is not among the skill's: {', '.join(self.hosts) or 'none'}.")
        page = self.pages.get(url, Response(404, b""))
        return page if isinstance(page, Response) else Response(200, page.encode())


class FakeFiles:
    """Folders in memory, by name: files and what they hold. A folder that no setting names is refused."""

    def __init__(self, folders: Mapping[str, Mapping[str, bytes]] | None = None) -> None:
        self.folders = {name: dict(files) for name, files in (folders or {}).items()}
        self.named: tuple[str, ...] = ()
        # When a file was changed last; those that are not here, at the start.
        self.changed: dict[tuple[str, str], datetime] = {}

    async def list(self, folder: str) -> list[FolderFile]:
        """The files in it."""
        found = [
            FolderFile(name, len(content), self.changed.get((folder, name), _START))
            for name, content in self._there(folder).items()
        ]
        return sorted(found, key=lambda one: (one.changed_at, one.name))

    async def read(self, folder: str, name: str) -> bytes:
        """What the file holds."""
        there = self._there(folder)
        if name not in there:
            raise Invalid(f"The folder {folder!r} has no file of this name.")
        return there[name]

    def _there(self, folder: str) -> dict[str, bytes]:
        if folder not in self.named:
            raise NotGranted(f"The folder {folder!r} is named by no setting. Named: {', '.join(self.named) or 'none'}.")
        if folder not in self.folders:
            raise NotAvailable(f"There is no folder {folder!r} here.")
        return self.folders[folder]


class FakeNotify:
    """Remembers who subscribed, and what was told."""

    def __init__(self) -> None:
        self.topics: dict[str, set[str]] = {}
        self.told: list[tuple[str, str]] = []
        # The same with everything that is not text: (conversation, replies).
        self.replies: list[tuple[str, list[Reply]]] = []
        self.conversation = ""
        self._once: set[tuple[str, str]] = set()

    async def subscribe(self, topic: str) -> None:
        """Add the conversation."""
        self.topics.setdefault(topic, set()).add(self.conversation)

    async def unsubscribe(self, topic: str) -> None:
        """Take the conversation out."""
        self.topics.get(topic, set()).discard(self.conversation)

    async def subscribers(self, topic: str, reply: Answer, *, once: str = "") -> int:
        """Tell them."""
        replies = list(replies_of(reply))
        if once and (topic, once) in self._once:
            return 0
        self._once.add((topic, once))
        text = "\n\n".join(as_markdown(one) for one in replies)
        them = sorted(self.topics.get(topic, ()))
        self.told += [(conversation, text) for conversation in them]
        self.replies += [(conversation, replies) for conversation in them]
        return len(them)


class FakeHandoff:
    """Remembers the summaries."""

    def __init__(self) -> None:
        self.summaries: list[str] = []

    async def request(self, summary: str) -> int:
        """How many were there before."""
        self.summaries.append(summary)
        return len(self.summaries) - 1


class FakeSkills:
    """Answers for other skills, by `skill` and `what`: a value, or a function of the arguments. `asked` are all calls.

    A skill that the one on stage does not name in `Skill(asks=…)` is refused; one that has no answer here is not there.
    """

    def __init__(self, answers: Mapping[tuple[str, str], Any] | None = None) -> None:
        self.answers = dict(answers or {})
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.named: tuple[str, ...] = ()

    async def ask(self, skill: str, what: str, /, **arguments: Any) -> Any:  # noqa: ANN401 (plain values)
        """The answer."""
        self.asked.append((skill, what, arguments))
        if skill not in self.named:
            raise NotGranted(f"The skill {skill} is not among those named: {', '.join(self.named) or 'none'}.")
        if (skill, what) not in self.answers:
            raise NotAvailable(f"The skill {skill} is not here, or offers no {what!r}.")
        answer = self.answers[skill, what]
        return answer(**arguments) if callable(answer) else answer


class FakeVectors:
    """The same vector for the same text, near ones for texts of the same letters."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Counts of letters, of length 1."""
        return [_letters(text) for text in texts]


class FakeSecrets:
    """The secrets that a test set."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = dict(values or {})

    async def get(self, name: str) -> str:
        """Its value."""
        return self.values.get(name, "")


@dataclass
class Rehearsal:
    """A skill on stage. Every part can be replaced or looked at; each person has a store of their own.

    `settings` are the values that an operator set: `Rehearsal(skill, settings={"litres": 3})`. Everywhere `user` is who
    does it, by default `ann`, and further arguments of `say` and `command` are fields of the `Turn`
    (`language="zh"`, `role="admin"`). A grant is not asked for, yet hosts, folders and skills that the skill does not
    name are refused as in earnest.
    """

    skill: Skill
    model: FakeModel = field(default_factory=FakeModel)
    clock: FakeClock = field(default_factory=FakeClock)
    knowledge: FakeKnowledge = field(default_factory=FakeKnowledge)
    shared: FakeStore = field(default_factory=FakeStore)
    http: FakeHttp = field(default_factory=FakeHttp)
    files: FakeFiles = field(default_factory=FakeFiles)
    notify: FakeNotify = field(default_factory=FakeNotify)
    handoff: FakeHandoff = field(default_factory=FakeHandoff)
    skills: FakeSkills = field(default_factory=FakeSkills)
    vectors: FakeVectors = field(default_factory=FakeVectors)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)
    settings: Mapping[str, Any] = field(default_factory=dict)
    stores: dict[str, FakeStore] = field(default_factory=dict)
    upload: FakeUpload = field(default_factory=FakeUpload)
    crowd: FakeCrowd = field(init=False)
    _turns: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.crowd = FakeCrowd(self.stores)

    def say(self, text: str, *, handler: str | None = None, user: str = "ann", **turn: Any) -> Said:  # noqa: ANN401 (Turn's)
        """Someone says something; `handler` names the function where the skill answers with more than one."""
        chosen = [one for one in self.skill.handlers if one.kind == "answers" and handler in {None, one.name}]
        if len(chosen) != 1:
            names = ", ".join(one.name for one in self.skill.handlers if one.kind == "answers")
            raise Invalid(f"Say which handler: say(…, handler=…). The skill answers with: {names or 'none'}.")
        return self._answered(chosen[0], self._turn(text, user, **turn))

    def command(self, name: str, text: str = "", *, user: str = "ann", **turn: Any) -> Said:  # noqa: ANN401
        """Someone types `/name text`."""
        return self._answered(self._named("command", name), self._turn(text, user, command=name, **turn))

    def tool(self, name: str, *, user: str = "ann", **arguments: Any) -> Any:  # noqa: ANN401 (what the tool returns)
        """The model calls a tool in someone's turn."""
        turn = self._turn("", user)
        handler = self._named("tool", name)
        return _run(calling.result(handler, lambda wanted: self._give(wanted, turn), arguments))

    def offer(self, name: str, *, user: str = "ann", **arguments: Any) -> Any:  # noqa: ANN401 (what it returns)
        """Another skill asks, in someone's turn."""
        turn = self._turn("", user)
        handler = self._named("offer", name)
        return _run(calling.result(handler, lambda wanted: self._give(wanted, turn), arguments))

    def event(self, name: str, *, user: str = "ann", **arguments: Any) -> Any:  # noqa: ANN401 (what it returns)
        """The API tells what someone did."""
        turn = self._turn("", user)
        handler = self._named("event", name)
        return _run(calling.result(handler, lambda wanted: self._give(wanted, turn), arguments))

    def hand_in(self, name: str, content: bytes | str) -> Said:
        """An operator hands in a file: `parlour skill import SKILL NAME FILE`."""
        self.upload = FakeUpload(content.encode() if isinstance(content, str) else content)
        return self._answered(self._named("import", name), None)

    def tick(self, name: str) -> Said:
        """A job's time has come."""
        return self._answered(self._named("job", name), None)

    def erase(self, user: str = "ann") -> None:
        """A person is erased: their store is emptied, and the skill is told."""
        self.stores.pop(user, None)
        for handler in self.skill.handlers:
            if handler.kind == "erased":
                _run(calling.result(handler, lambda wanted: self._give(wanted, None), {"user": user}))

    def store(self, user: str = "ann") -> FakeStore:
        """A person's store."""
        return self.stores.setdefault(user, FakeStore())

    def _named(self, kind: str, name: str) -> Handler:
        try:
            return self.skill.handler(f"{kind}:{name}")
        except KeyError:
            there = ", ".join(one.name for one in self.skill.handlers if one.kind == kind)
            raise Invalid(f"The skill has no {kind} {name!r}. There are: {there or 'none'}.") from None

    def _turn(self, text: str, user: str, **details: Any) -> Turn:  # noqa: ANN401
        given = {"conversation": f"chat-{user}", "channel": "test", **details}
        return Turn(id=f"turn-{next(self._turns)}", text=text, user=user, **given)

    def _answered(self, handler: Handler, turn: Turn | None) -> Said:
        async def collect() -> tuple[Reply, ...]:
            give: calling.Give = lambda wanted: self._give(wanted, turn)  # noqa: E731 (one line, used once)
            return tuple([reply async for reply in calling.replies(handler, give)])

        return Said(_run(collect()))

    def _give(self, wanted: str, turn: Turn | None) -> Any:  # noqa: ANN401 (any capability)
        if wanted == "settings":
            kind = self.skill.settings_class
            return kind(**self.settings) if kind else None
        kind = self.skill.settings_class
        schema = object_schema(kind) if kind else {}
        self.http.hosts = (*self.skill.hosts, *hosts_set(schema, self.settings))
        self.files.named = folders_set(schema, self.settings)
        self.notify.conversation = turn.conversation if turn else ""
        self.skills.named = self.skill.asks
        parts: dict[str, Any] = {
            "Turn": turn,
            "Model": self.model,
            "Knowledge": self.knowledge,
            "SharedStore": self.shared,
            "Crowd": self.crowd,
            "Upload": self.upload,
            "Http": self.http,
            "Files": self.files,
            "Notify": self.notify,
            "Handoff": self.handoff,
            "Skills": self.skills,
            "Vectors": self.vectors,
            "Secrets": self.secrets,
            "Clock": self.clock,
        }
        return self.store(turn.user if turn else "") if wanted == "UserStore" else parts[wanted]


def _letters(text: str) -> list[float]:
    counts = [float(text.lower().count(chr(ord("a") + place))) for place in range(26)]
    length = sum(value * value for value in counts) ** 0.5 or 1.0
    return [value / length for value in counts]


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
