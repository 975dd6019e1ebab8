"""Where a skill's calls are checked and answered: against its grants, in the name of the person of the turn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

from parlour.sdk.errors import CapabilityError, Invalid, NotAvailable, NotGranted
from parlour.sdk.replies import Reply, from_wire
from parlour.sdk.schema import problems
from parlour.skills.crowd import CrowdCounts
from parlour.skills.documents import Documents, Shelf
from parlour.skills.files import SkillFiles
from parlour.skills.http import SkillHttp
from parlour.store.ids import ConversationId, SkillId, UserId, WorkspaceId

T = TypeVar("T")
_TEXT: Final = {"type": "string"}
_NAMES: Final = {"type": "array", "items": _TEXT}
_TEXTS_BY_NAME: Final = {"type": "object", "additionalProperties": _TEXT}
_MAYBE_TEXT: Final = {"anyOf": [_TEXT, {"type": "null"}]}
_NUMBER: Final = {"type": "integer"}
_MAYBE_NUMBER: Final = {"anyOf": [_NUMBER, {"type": "null"}]}
_PASSAGE: Final = {
    "type": "object",
    "properties": {"text": _TEXT, "source": _TEXT, "place": _TEXT},
    "required": ["text", "source", "place"],
    "additionalProperties": False,
}
_KIND: Final = {"kind": _TEXT}
_STORE: Final[Mapping[str, Mapping[str, Any]]] = {
    "put": {**_KIND, "document": {"type": "object"}, "id": _MAYBE_TEXT},
    "get": {**_KIND, "id": _TEXT},
    "all": _KIND,
    "delete": {**_KIND, "id": _TEXT},
}
# Every method there is, and what it takes. Anything else is no call.
METHODS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "Model": {
        "stream": {
            "prompt": _MAYBE_TEXT,
            "passages": {"type": "array", "items": _PASSAGE},
            "system": _TEXT,
            "max_tokens": _NUMBER,
            "tools": {"type": "boolean"},
        },
        "complete": {"prompt": _TEXT, "system": _TEXT, "max_tokens": _NUMBER},
        "choose": {"prompt": _TEXT, "options": _NAMES, "system": _TEXT},
        "extract": {"prompt": _TEXT, "schema": {"type": "object"}, "system": _TEXT},
    },
    "Knowledge": {"search": {"query": _TEXT, "limit": _NUMBER}},
    "UserStore": _STORE,
    "SharedStore": _STORE,
    "Crowd": {
        "counts": {**_KIND, "field": _TEXT, "days": _MAYBE_NUMBER},
        "pairs": {**_KIND, "field": _TEXT, "within": _MAYBE_NUMBER},
    },
    # The rows are read where they are taken: `skills.inbox`.
    "Upload": {"read": {"at": _NUMBER}, "report": {"kept": _NUMBER, "refused": _NUMBER, "rows": {}}},
    "Http": {
        "get": {"url": _TEXT, "headers": _TEXTS_BY_NAME},
        "post": {"url": _TEXT, "body": {}, "headers": _TEXTS_BY_NAME},
    },
    "Files": {"list": {"folder": _TEXT}, "read": {"folder": _TEXT, "name": _TEXT}},
    "Notify": {
        "subscribe": {"topic": _TEXT},
        "unsubscribe": {"topic": _TEXT},
        # Replies are read, and refused, where they are what they are: `sdk.replies.from_wire`.
        "subscribers": {"topic": _TEXT, "replies": {}, "once": _TEXT},
    },
    "Handoff": {"request": {"summary": _TEXT}},
    "Skills": {"ask": {"skill": _TEXT, "what": _TEXT, "arguments": {"type": "object"}}},
    "Vectors": {"embed": {"texts": _NAMES}},
    "Secrets": {"get": {"name": _TEXT}},
}
_MOST_PASSAGES: Final = 50
_LONGEST_TOPIC: Final = 200


@dataclass(frozen=True, slots=True)
class Grants:
    """What an operator allowed one skill."""

    capabilities: frozenset[str]
    hosts: tuple[str, ...] = ()
    asks: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()

    def reaching(self, hosts: Sequence[str], folders: Sequence[str] = ()) -> "Grants":
        """The same, and the hosts and folders that the operator set."""
        return replace(self, hosts=(*self.hosts, *hosts), folders=tuple(folders))


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose run it is: known to the host from the turn's own row, never told by the skill. A job has no person."""

    skill_id: SkillId
    workspace_id: WorkspaceId
    user_id: UserId | None
    conversation_id: ConversationId | None = None


class NotifyPort(Protocol):
    """Telling conversations what they subscribed to (`turns.notify.Notifier`)."""

    def subscribe(self, whose: Whose, topic: str) -> None:
        """The run's conversation wants to be told."""
        ...

    def unsubscribe(self, whose: Whose, topic: str) -> None:
        """It wants no more of it."""
        ...

    def tell(self, whose: Whose, topic: str, replies: Sequence[Reply], *, once: str) -> int:
        """Tell all; how many. Raises `TooMuch`."""
        ...


class HandoffPort(Protocol):
    """Asking for a human (`turns.handoff_requests.HandoffRequests`)."""

    def request(self, whose: Whose, summary: str) -> int:
        """How many wait before. Raises `NotAvailable` where nobody can take over."""
        ...


class SkillsPort(Protocol):
    """Other skills, for one run (`skills.asking.Asking`)."""

    def ask(self, skill: str, what: str, arguments: Mapping[str, Any]) -> object:
        """What the other returns. Raises `CapabilityError`s."""
        ...

    def close(self) -> None:
        """The run is over: what it still asks is ended."""
        ...


class UploadPort(Protocol):
    """The file that is handed in (`skills.inbox.HandedIn`)."""

    def read(self, at: int) -> bytes:
        """The bytes from there on, a piece of them."""
        ...

    def report(self, kept: int, refused: int, rows: object) -> None:
        """How it went, as the skill says. Raises `Invalid`."""
        ...


class ModelPort(Protocol):
    """The language model, for one turn."""

    def stream(
        self,
        prompt: str | None,
        passages: Sequence[Mapping[str, str]],
        *,
        system: str,
        max_tokens: int,
        tools: bool = False,
    ) -> Iterator[str]:
        """An answer to `prompt`, or to the turn where there is none; with `tools` the skill's own may be called."""
        ...

    def extract(self, prompt: str, schema: Mapping[str, Any], *, system: str) -> object:
        """JSON of that schema."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """What the desk hands out. What is None, this installation does not offer."""

    documents: Documents | None = None
    http: SkillHttp | None = None
    files: SkillFiles | None = None
    model: ModelPort | None = None
    search: Callable[[str, int], list[dict[str, Any]]] | None = None
    embed: Callable[[Sequence[str]], list[list[float]]] | None = None
    secret: Callable[[str], str] | None = None
    notify: NotifyPort | None = None
    handoff: HandoffPort | None = None
    crowd: CrowdCounts | None = None
    upload: UploadPort | None = None
    skills: SkillsPort | None = None

    def offered(self) -> frozenset[str]:
        """The capabilities that there are."""
        parts = {
            "Model": self.model,
            "Knowledge": self.search,
            "UserStore": self.documents,
            "SharedStore": self.documents,
            "Crowd": self.crowd,
            "Upload": self.upload,
            "Http": self.http,
            "Files": self.files,
            "Vectors": self.embed,
            "Secrets": self.secret,
            "Notify": self.notify,
            "Handoff": self.handoff,
            "Skills": self.skills,
        }
        return frozenset(name for name, part in parts.items() if part is not None)


class HostDesk:
    """Answers the calls of one run. See `parlour.skills.process.Desk`."""

    def __init__(self, whose: Whose, grants: Grants, services: Services) -> None:
        self._whose = whose
        self._grants = grants
        self._services = services

    def call(self, capability: str, method: str, arguments: Mapping[str, Any]) -> object:
        """The answer. Raises `CapabilityError`s; what it takes is checked before anything is done."""
        schema = METHODS.get(capability, {}).get(method)
        if schema is None or capability not in self._grants.capabilities:
            raise NotGranted(f"{capability[:40]}.{method[:40]} was not granted.")
        if capability not in self._services.offered():
            raise NotAvailable(f"This Parlour does not offer {capability} here.")
        given = {name: kind for name, kind in schema.items() if kind}
        wanted = {"type": "object", "properties": given, "required": list(schema)}
        for problem in problems(wanted, dict(arguments)):
            raise Invalid(f"{capability}.{method}: {problem}.")
        if {*arguments} - {*schema}:
            raise Invalid(f"{capability}.{method}: an argument is unknown.")
        answer: Callable[..., object] = getattr(self, f"_{capability.lower()}")
        return answer(method, **arguments)

    def close(self) -> None:
        """The run is over."""
        if self._services.skills is not None:
            self._services.skills.close()

    def _userstore(self, method: str, **arguments: Any) -> object:  # noqa: ANN401 (checked above)
        if self._whose.user_id is None:
            raise NotAvailable("A job has no person, so it has no UserStore.")
        shelf = Shelf(self._whose.skill_id, self._whose.workspace_id, self._whose.user_id)
        return self._store(shelf, method, **arguments)

    def _sharedstore(self, method: str, **arguments: Any) -> object:  # noqa: ANN401
        return self._store(Shelf(self._whose.skill_id, self._whose.workspace_id), method, **arguments)

    def _store(self, shelf: Shelf, method: str, *, kind: str, **arguments: Any) -> object:  # noqa: ANN401
        documents = _there(self._services.documents)
        if kind not in self._grants.kinds:
            raise NotGranted(f"Documents of kind {kind[:40]!r} are not named in Skill(keeps=…).")
        match method:
            case "put":
                return documents.put(shelf, kind, arguments["document"], arguments["id"])
            case "get":
                return documents.get(shelf, kind, arguments["id"])
            case "all":
                return documents.all(shelf, kind)
            case _:
                return documents.delete(shelf, kind, arguments["id"])

    def _crowd(
        self, method: str, *, kind: str, field: str, days: int | None = None, within: int | None = None
    ) -> object:
        crowd = _there(self._services.crowd)
        if kind not in self._grants.kinds:
            raise NotGranted(f"Documents of kind {kind[:40]!r} are not named in Skill(keeps=…).")
        if any(number is not None and number < 1 for number in (days, within)):
            raise Invalid(f"Crowd.{method}: a number of days or documents is at least 1.")
        if method == "counts":
            return crowd.counts(self._whose.skill_id, kind, field, days)
        return crowd.pairs(self._whose.skill_id, kind, field, within)

    def _upload(self, method: str, **arguments: Any) -> object:  # noqa: ANN401
        upload = _there(self._services.upload)
        if method == "read":
            return upload.read(max(0, arguments["at"]))
        upload.report(**arguments)
        return None

    def _skills(self, method: str, *, skill: str, what: str, arguments: Mapping[str, Any]) -> object:
        if skill not in self._grants.asks:
            granted = ", ".join(sorted(self._grants.asks)) or "none"
            raise NotGranted(f"The skill {skill[:100]!r} may not be asked. Granted: {granted}.")
        return _there(self._services.skills).ask(skill, what, arguments)

    def _http(self, method: str, *, url: str, headers: Mapping[str, str], body: object = None) -> object:
        http = _there(self._services.http)
        if method == "get":
            return http.get(self._grants.hosts, url, headers)
        if not isinstance(body, bytes):
            raise Invalid("Http.post: body must be bytes.")
        return http.post(self._grants.hosts, url, body, headers)

    def _files(self, method: str, *, folder: str, name: str = "") -> object:
        files = _there(self._services.files)
        if method == "list":
            return files.list(self._grants.folders, folder)
        return files.read(self._grants.folders, folder, name)

    def _model(self, method: str, **arguments: Any) -> object:  # noqa: ANN401
        model, system = _there(self._services.model), arguments["system"]
        if method == "stream":
            passages = arguments["passages"][:_MOST_PASSAGES]
            return model.stream(
                arguments["prompt"],
                passages,
                system=system,
                max_tokens=arguments["max_tokens"],
                tools=arguments["tools"],
            )
        if method == "complete":
            return "".join(model.stream(arguments["prompt"], [], system=system, max_tokens=arguments["max_tokens"]))
        if method == "extract":
            return model.extract(arguments["prompt"], arguments["schema"], system=system)
        options = arguments["options"]
        if not options:
            raise Invalid("Model.choose: give at least one option.")
        schema = {
            "type": "object",
            "properties": {"choice": {"enum": options}},
            "required": ["choice"],
            "additionalProperties": False,
        }
        chosen = model.extract(arguments["prompt"], schema, system=system)
        if not isinstance(chosen, dict) or chosen.get("choice") not in options:
            raise CapabilityError("The model chose none of the options.")
        return chosen["choice"]

    def _knowledge(self, method: str, *, query: str, limit: int) -> object:
        return _there(self._services.search)(query, max(1, min(limit, _MOST_PASSAGES)))

    def _notify(self, method: str, *, topic: str, replies: object = None, once: str = "") -> object:
        notify = _there(self._services.notify)
        if not 0 < len(topic) <= _LONGEST_TOPIC or len(once) > _LONGEST_TOPIC:
            raise Invalid(f"Notify.{method}: a topic is a text of 1 to {_LONGEST_TOPIC} characters, and so is `once`.")
        if method == "subscribers":
            if not isinstance(replies, list) or not replies:
                raise Invalid("Notify.subscribers: give something to say.")
            return notify.tell(self._whose, topic, [from_wire(one) for one in replies], once=once)
        if self._whose.conversation_id is None:
            raise NotAvailable("A job has no conversation that could subscribe.")
        change = notify.subscribe if method == "subscribe" else notify.unsubscribe
        change(self._whose, topic)
        return None

    def _handoff(self, method: str, *, summary: str) -> object:
        return _there(self._services.handoff).request(self._whose, summary)

    def _vectors(self, method: str, *, texts: Sequence[str]) -> object:
        if len(texts) > 256:  # noqa: PLR2004 (as its documentation says)
            raise Invalid("Vectors.embed: at most 256 texts in one call.")
        return _there(self._services.embed)(texts)

    def _secrets(self, method: str, *, name: str) -> object:
        if name not in self._grants.secrets:
            raise NotGranted(f"The skill has no Secret setting {name[:40]!r}.")
        return _there(self._services.secret)(name)


def _there(part: T | None) -> T:
    if part is None:
        raise NotAvailable("This Parlour does not offer it here.")
    return part
