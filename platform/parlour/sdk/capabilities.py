"""Everything a skill can be given. A handler asks for one by writing its name as a parameter's type.

What a skill asks for stands in its manifest, an operator grants it, and the host checks every call. Whose turn it is
comes from the host: no call takes a user.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from parlour.sdk.replies import Reply

# What can be said: Markdown, a reply, or several of them in order.
Answer = str | Reply | Sequence[str | Reply]


@dataclass(frozen=True, slots=True)
class Turn:
    """What a person said, and where.

    For a command, `command` is its name and `text` what stood behind it. `is_reply`: it answers the `Question` that
    this handler asked last. `user` and `conversation` are names that mean
    something to this skill alone: the same for the same person, and of no use elsewhere. A job has no turn.

    ```python
    @skill.command("hello", "Greets you")
    async def hello(turn: Turn):
        return "你好" if turn.language == "zh" else "Hello"
    ```
    """

    id: str
    text: str
    language: str = "en"
    user: str = ""
    conversation: str = ""
    channel: str = ""
    role: str = "member"
    is_private: bool = True
    command: str | None = None
    is_reply: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the organisation's knowledge: its text, which document it is from and where in it."""

    text: str
    source: str
    place: str = ""
    score: float = 0.0


class Model(Protocol):
    """The organisation's language model. Passages are given to it as data: instructions in them do not steer it.

    ```python
    @skill.answers("How often do I water basil?")
    async def care(turn: Turn, model: Model):
        async for piece in model.stream(turn, system="You know plants."):
            yield piece
    ```
    """

    def stream(
        self,
        about: Turn | str,
        *,
        grounded_in: Sequence[Passage] = (),
        system: str = "",
        max_tokens: int = 512,
        tools: bool = False,
    ) -> AsyncIterator[str]:
        """An answer in pieces, as it is written. For a turn the model also reads the conversation before it.

        With `tools` it may call the skill's own (`@skill.tool`) before it answers.
        """
        ...

    async def complete(self, prompt: str, *, system: str = "", max_tokens: int = 512) -> str:
        """A whole answer to `prompt` alone, without the conversation."""
        ...

    async def choose(self, prompt: str, options: Sequence[str], *, system: str = "") -> str:
        """One of `options`, whichever fits `prompt` best; never anything else."""
        ...

    async def extract(self, prompt: str, schema: Mapping[str, Any], *, system: str = "") -> Any:  # noqa: ANN401 (JSON)
        """JSON that fits the JSON schema."""
        ...


class Knowledge(Protocol):
    """The organisation's documents, as far as the person who asks may read them.

    ```python
    @skill.answers("What are your opening hours?")
    async def ask(turn: Turn, knowledge: Knowledge, model: Model):
        passages = await knowledge.search(turn.text)
        async for piece in model.stream(turn, grounded_in=passages):
            yield piece
    ```
    """

    async def search(self, query: str, *, limit: int = 5) -> list[Passage]:
        """The passages nearest to `query`, best first; none when nothing fits."""
        ...


class UserStore(Protocol):
    """Documents about the person whose turn it is: sealed under that person's key, exported and erased by the host.

    A document is a JSON object, at most 64 KB; `kind` is a lower-case word. A document comes back with its `id`.

    ```python
    @skill.command("plant", "Remember a plant")
    async def plant(turn: Turn, mine: UserStore):
        await mine.put("plant", {"name": turn.text})
        return "Noted."
    ```
    """

    async def put(self, kind: str, document: Mapping[str, Any], *, id: str | None = None) -> str:  # noqa: A002 (its name)
        """Store a document and return its id; a document that has this `id` already is replaced."""
        ...

    async def get(self, kind: str, id: str) -> dict[str, Any] | None:  # noqa: A002
        """The document, None where there is none."""
        ...

    async def all(self, kind: str) -> list[dict[str, Any]]:
        """All documents of a kind, oldest first, at most 1,000."""
        ...

    async def delete(self, kind: str, id: str) -> bool:  # noqa: A002
        """Delete the document; whether there was one."""
        ...


class SharedStore(Protocol):
    """Documents of the whole workspace. Not for anything about a person: `UserStore` is for that.

    ```python
    @skill.every("1h")
    async def refresh(shared: SharedStore, clock: Clock):
        await shared.put("state", {"refreshed": clock.now().isoformat()}, id="last")
    ```
    """

    async def put(self, kind: str, document: Mapping[str, Any], *, id: str | None = None) -> str:  # noqa: A002
        """Store a document and return its id; a document that has this `id` already is replaced."""
        ...

    async def get(self, kind: str, id: str) -> dict[str, Any] | None:  # noqa: A002
        """The document, None where there is none."""
        ...

    async def all(self, kind: str) -> list[dict[str, Any]]:
        """All documents of a kind, oldest first, at most 1,000."""
        ...

    async def delete(self, kind: str, id: str) -> bool:  # noqa: A002
        """Delete the document; whether there was one."""
        ...


class Crowd(Protocol):
    """What many people have in common, counted by the host over everybody's documents; nobody's are handed out.

    What fewer than five people share is not told. Who is erased, or deletes a document, is not in the next count.

    ```python
    @skill.every("1h")
    async def learn(crowd: Crowd, shared: SharedStore):
        await shared.put("favourites", await crowd.counts("plant", "name"), id="now")
    ```
    """

    async def counts(self, kind: str, field: str, *, days: int | None = None) -> dict[str, int]:
        """How many people have documents of `kind` with each value of the text `field`, the commonest first.

        `days` counts only documents that were put in so many last days.
        """
        ...

    def pairs(self, kind: str, field: str, *, within: int | None = None) -> AsyncIterator[tuple[str, str, int]]:
        """Two values and how many people have documents with both; the latest 200 values of each person count.

        With `within` the order counts: the second came at most so many documents after the first.
        """
        ...


class Upload(Protocol):
    """The file that an operator hands in with `parlour skill import`, for handlers of `@skill.imports` alone.

    ```python
    @skill.imports("plants", "A list of plants, one a line")
    async def take(upload: Upload, shared: SharedStore):
        lines = b"".join([piece async for piece in upload.pieces()]).decode().splitlines()
        good = [line for line in lines if line.strip()]
        if good:
            await shared.put("plants", {"names": good}, id="all")
        empty = {number: "is empty" for number, line in enumerate(lines, start=1) if line not in good}
        await upload.report(kept=len(good), refused=len(empty), rows=empty)
        return f"{len(good)} plants."
    ```
    """

    def pieces(self) -> AsyncIterator[bytes]:
        """Its bytes, in pieces of at most 1 MB."""
        ...

    async def report(self, *, kept: int, refused: int = 0, rows: Mapping[int, str] | None = None) -> None:
        """Say how many rows were kept and refused, and of some what is wrong, by their number; 100 are shown.

        Where nothing was kept, the command that handed the file in fails and says so. The last report counts.
        """
        ...


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answered."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none is replaced."""
        return self.body.decode("utf-8", "replace")


class Http(Protocol):
    """The web, through the host: only the hosts named in `Skill(hosts=…)`, and those that an operator sets in settings
    of type `Host` (or `list[Host]`); never a private address.

    ```python
    skill = Skill("rates", "Exchange rates", hosts=["api.example.org"])


    @skill.command("rate", "Today's rate")
    async def rate(http: Http):
        return (await http.get("https://api.example.org/eur")).text
    ```
    """

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to a GET; redirects are followed to granted hosts only. Bodies over 8 MB raise `TooMuch`."""
        ...

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to a POST; no redirect is followed."""
        ...


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file in a folder that the skill was given."""

    name: str
    size_bytes: int
    changed_at: datetime


class Files(Protocol):
    """Files of folders on the platform's machine, read by the host: those that its operator lets skills read
    (`PARLOUR_SKILLS__FOLDERS`) and that a setting of type `Folder` names. Nothing can be written.

    Only the files that lie in the folder itself are there: no folder below it, no hidden file, no link.

    ```python
    @skill.settings
    class Settings:
        plants: Folder = Folder("")


    @skill.every("5m")
    async def watch(files: Files, settings: Settings, shared: SharedStore):
        for file in await files.list(settings.plants) if settings.plants else []:
            text = (await files.read(settings.plants, file.name)).decode()
            await shared.put("plants", {"names": text.splitlines()}, id=file.name)
    ```
    """

    async def list(self, folder: str) -> "list[FolderFile]":
        """The files in it: the 1,000 that changed last, the newest at the end.

        Raises `NotGranted` where no setting names it, `NotAvailable` where it is not there.
        """
        ...

    async def read(self, folder: str, name: str) -> bytes:
        """What the file holds. Raises `TooMuch` beyond 8 MB, `Invalid` for what is no file of the folder."""
        ...


class Notify(Protocol):
    """Messages that nobody asked for just now, to conversations that subscribed to this skill.

    ```python
    @skill.every("5m")
    async def watch(notify: Notify):
        await notify.subscribers("alerts", "Something happened.")
    ```
    """

    async def subscribe(self, topic: str) -> None:
        """This turn's conversation gets what is told about `topic` from now on."""
        ...

    async def unsubscribe(self, topic: str) -> None:
        """This turn's conversation gets no more about `topic`."""
        ...

    async def subscribers(self, topic: str, reply: "Answer", *, once: str = "") -> int:
        """Tell all who subscribed to `topic`: a text, a chart, buttons, or a list of them. How many are told.

        What has the same `once` as something told before about this topic is told to nobody a second time, also when a
        job runs again after a crash. Messages go out behind people's own answers; more than 60 calls a minute raise
        `TooMuch`.
        """
        ...


class Handoff(Protocol):
    """A human who takes over the conversation; the assistant is silent meanwhile.

    ```python
    @skill.command("agent", "Talk to a person")
    async def agent(handoff: Handoff):
        waiting = await handoff.request("Asks for a person.")
        return f"Someone will be with you. {waiting} before you."
    ```
    """

    async def request(self, summary: str) -> int:
        """Ask for a human, who reads `summary` first; how many wait before."""
        ...


class Skills(Protocol):
    """Other skills: only those named in `Skill(asks=…)`, and of them only what they offer (`@skill.offers`).

    The other skill must be installed and enabled where the turn is. It answers in the name of the same person, with
    its own grants; of your turn it is told no more than the arguments that you give.

    ```python
    skill = Skill("shop", "Questions about the shop", asks=["recommendation"])


    @skill.answers("What would go with my teapot?")
    async def suggest(turn: Turn, skills: Skills):
        found = await skills.ask("recommendation", "recommend", about=turn.text)
        return ", ".join(one["title"] for one in found)
    ```
    """

    async def ask(self, skill: str, what: str, /, **arguments: Any) -> Any:  # noqa: ANN401 (plain values)
        """What the other skill's function `what` returns.

        Raises `NotAvailable` where the skill is not there or does not answer within 30 seconds, `Invalid` for
        arguments that it does not take, and where skills would ask each other in a circle; `TooMuch` beyond three
        skills deep, or 20 questions in one turn.
        """
        ...


class Vectors(Protocol):
    """Meaning as numbers: texts that mean the same lie near each other, in any language.

    ```python
    @skill.tool
    async def nearest(question: str, vectors: Vectors):
        \"\"\"The vector of a question.\"\"\"
        return (await vectors.embed([question]))[0]
    ```
    """

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of length 1 for each text, at most 256 texts in one call."""
        ...


class Secrets(Protocol):
    """The settings that the skill declared as `Secret`, each read only when it is needed.

    ```python
    @skill.command("rate", "Today's rate")
    async def rate(http: Http, secrets: Secrets):
        key = await secrets.get("api_key")
        return (await http.get("https://api.example.org/", headers={"X-Key": key})).text
    ```
    """

    async def get(self, name: str) -> str:
        """The secret's value; empty while the operator has not set it."""
        ...


class Clock(Protocol):
    """The time. Ask it rather than `datetime.now`, so that a test can hold it still.

    ```python
    @skill.command("now", "What time it is")
    async def now(clock: Clock):
        return f"{clock.now():%H:%M} UTC"
    ```
    """

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; in a test, return at once and move the clock."""
        ...


CapabilityName = Literal[
    "Turn",
    "Model",
    "Knowledge",
    "UserStore",
    "SharedStore",
    "Crowd",
    "Upload",
    "Http",
    "Files",
    "Notify",
    "Handoff",
    "Skills",
    "Vectors",
    "Secrets",
    "Clock",
]

CAPABILITIES: Final[Mapping[CapabilityName, type]] = {
    "Turn": Turn,
    "Model": Model,
    "Knowledge": Knowledge,
    "UserStore": UserStore,
    "SharedStore": SharedStore,
    "Crowd": Crowd,
    "Upload": Upload,
    "Http": Http,
    "Files": Files,
    "Notify": Notify,
    "Handoff": Handoff,
    "Skills": Skills,
    "Vectors": Vectors,
    "Secrets": Secrets,
    "Clock": Clock,
}
# These give nothing that needs to be granted.
HARMLESS: Final = frozenset({"Turn", "Clock", "Upload"})

# What an operator reads before granting it: English, Chinese.
MEANINGS: Final[Mapping[str, tuple[str, str]]] = {
    "Turn": ("read the message that it answers", "读取它要回答的消息"),
    "Model": ("ask the language model", "使用语言模型"),
    "Knowledge": ("search the organisation's documents", "搜索组织的文档"),
    "UserStore": ("keep documents about the person it talks to, sealed", "保存与其对话者的资料（加密）"),
    "SharedStore": ("keep documents of the whole workspace", "保存整个工作区的资料"),
    "Crowd": (
        "count what at least five people have in common among the documents that it keeps",
        "统计至少五人在其保存资料中的共同点",
    ),
    "Upload": ("read the file that an operator hands to it", "读取管理员交给它的文件"),
    "Http": ("reach the hosts named below, over the network", "访问下列主机（网络）"),
    "Files": ("read the files of folders that you name for it in its settings", "读取您在其设置中指定的文件夹里的文件"),
    "Notify": ("write to conversations that subscribed", "向已订阅的对话发送消息"),
    "Handoff": ("hand a conversation over to a human", "把对话转给人工"),
    "Skills": ("ask the skills named below, in the name of the person", "以该用户的名义询问下列技能"),
    "Vectors": ("turn texts into vectors", "把文本转为向量"),
    "Secrets": ("read its own secret settings", "读取它自己的机密设置"),
    "Clock": ("know the time", "知道时间"),
}
