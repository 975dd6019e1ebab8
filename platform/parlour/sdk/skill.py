"""A skill: functions that answer people, and what they need for it."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from inspect import getdoc
from typing import Final, TypeVar, cast, overload

from parlour.sdk.commands import RESERVED_COMMANDS
from parlour.sdk.errors import SkillMistake
from parlour.sdk.handlers import Function, Handler, read, where
from parlour.sdk.hosts import HOST
from parlour.sdk.ranges import SDK_RANGE, is_range
from parlour.sdk.schedule import read_schedule
from parlour.sdk.schema import object_schema

F = TypeVar("F", bound=Function)
C = TypeVar("C", bound=type)

NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST_NAME: Final = 64


def is_name(text: str) -> bool:
    """Whether a skill may be called so."""
    return NAME.fullmatch(text) is not None and len(text) <= LONGEST_NAME


class Skill:
    """A trade that the assistant learns. Decorate functions with `answers`, `command`, `tool`, `offers`, `event`,
    `imports`, `every` and `on_erased`.

    `hosts` are the servers that `Http` may reach (`*.example.org` means all below). `keeps` tells what kinds of
    documents are stored, each with a word on why; it is shown before the skill is installed. `asks` are the skills that
    `Skills` may ask. `zh` is the description in Chinese. `sdk` is the range of SDK versions that it works with, by
    default the one that it is frozen with.

    ```python
    skill = Skill("greenhouse", "Questions about plants", zh="植物养护", keeps={"plant": "the plants you told about"})
    ```
    """

    def __init__(
        self,
        name: str,
        description: str,
        *,
        zh: str = "",
        hosts: Sequence[str] = (),
        keeps: Mapping[str, str] | None = None,
        asks: Sequence[str] = (),
        sdk: str = SDK_RANGE,
    ) -> None:
        """Raises `SkillMistake` for a name, host or range that cannot be one."""
        if not is_name(name):
            raise SkillMistake(f"{name!r} is no skill's name. Use lower-case words with hyphens: greenhouse, my-skill.")
        for host in hosts:
            if not HOST.fullmatch(host):
                raise SkillMistake(f"{host!r} is no host. Write a name without scheme, port and path: api.example.org.")
        for other in asks:
            if not is_name(other) or other == name:
                raise SkillMistake(f"{other!r} is no other skill's name. Write for example asks=['greenhouse'].")
        if not is_range(sdk):
            raise SkillMistake(f"{sdk!r} is no range of SDK versions. Write for example sdk={SDK_RANGE!r}.")
        self.sdk = sdk
        self.name = name
        self.description = description
        self.zh = zh
        self.hosts = tuple(hosts)
        self.keeps = dict(keeps or {})
        self.asks = tuple(dict.fromkeys(asks))
        self.settings_class: type | None = None
        self._handlers: dict[str, Handler] = {}

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """All functions of the skill, in the order they were written."""
        return tuple(self._handlers.values())

    def handler(self, handler_id: str) -> Handler:
        """The handler of this id (`command:plants`). Raises `KeyError`."""
        return self._handlers[handler_id]

    def answers(self, *examples: str) -> Callable[[F], F]:
        """Answer what people say. The examples, in any language, teach the router when: a dozen is better than two.

        What it returns or yields is the answer: text, or a reply such as `Chart` or `Buttons`, or a list of them.

        ```python
        @skill.answers("How often do I water basil?", "My ficus drops its leaves")
        async def care(turn: Turn, model: Model):
            async for piece in model.stream(turn):
                yield piece
        ```
        """

        def register(function: F) -> F:
            if not examples or not all(one.strip() for one in examples):
                raise SkillMistake(f"{where(function)}: give at least one example of what people say.")
            self._add(read("answers", function.__name__, function, self.settings_class, examples=examples))
            return function

        return register

    def command(self, name: str, description: str, *, zh: str = "") -> Callable[[F], F]:
        """Answer `/name`; what stands behind it is `turn.text`. The description stands in `/help`.

        Parlour's own commands are taken; where two skills have the same, the first of them by name has it.
        """

        def register(function: F) -> F:
            if not NAME.fullmatch(name) or name in RESERVED_COMMANDS:
                reserved = ", ".join(sorted(RESERVED_COMMANDS))
                raise SkillMistake(
                    f"{where(function)}: {name!r} cannot be a command. Lower-case; not one of {reserved}."
                )
            self._add(read("command", name, function, self.settings_class, about=description, about_zh=zh))
            return function

        return register

    @overload
    def tool(self, function: F) -> F: ...
    @overload
    def tool(self, *, name: str) -> Callable[[F], F]: ...
    def tool(self, function: F | None = None, *, name: str = "") -> F | Callable[[F], F]:
        """A function that the model may call while it answers. Its docstring tells the model what it does.

        Parameters with a type of JSON (str, int, float, bool, `Literal`, list, dict, or None) are the model's to fill,
        `Between` bounds a number; all others are given by the host, and who the user is never comes from the model.

        ```python
        @skill.tool
        async def water(plant: str, litres: Annotated[float, Between(0, 50)], mine: UserStore) -> str:
            "Note that a plant was watered."
            await mine.put("watering", {"plant": plant, "litres": litres})
            return "Noted."
        ```
        """

        def register(function: F) -> F:
            about = getdoc(function)
            if not about:
                raise SkillMistake(
                    f"{where(function)}: a tool needs a docstring: the model reads it to know when to call."
                )
            self._add(read("tool", name or function.__name__, function, self.settings_class, about=about))
            return function

        return register if function is None else register(function)

    def offers(self, function: F) -> F:
        """A function that other skills may ask, by its name, where an operator lets them (`Skills`).

        It runs in the name of the person whose turn the other skill answers, with this skill's own grants; the text of
        the turn is empty. Its docstring says what it returns, which is plain values.
        """
        about = getdoc(function)
        if not about:
            raise SkillMistake(f"{where(function)}: an offer needs a docstring: it tells others what they get.")
        handler = read("offer", function.__name__, function, self.settings_class, about=about)
        self._add(handler)
        return function

    def event(self, name: str) -> Callable[[F], F]:
        """Take in what a person did elsewhere (in a shop, in an app), told over the API: a typed function.

        Who it was comes from the host; nobody spoke, so there is no `Turn`. Its docstring says what it means.

        ```python
        @skill.event("bought")
        async def bought(plant: str, mine: UserStore):
            "The person bought a plant."
            await mine.put("plant", {"name": plant}, id=plant)
        ```
        """

        def register(function: F) -> F:
            about = getdoc(function)
            if not about or not NAME.fullmatch(name):
                raise SkillMistake(
                    f"{where(function)}: an event has a lower-case name, and a docstring that says what it means."
                )
            self._add(read("event", name, function, self.settings_class, about=about))
            return function

        return register

    def imports(self, name: str, description: str, *, zh: str = "") -> Callable[[F], F]:
        """Take in a file that an operator hands over: `parlour skill import SKILL NAME FILE`. Ask for `Upload`.

        ```python
        @skill.imports("prices", "What plants cost: a name and a price a line")
        async def prices(upload: Upload, shared: SharedStore):
            content = b"".join([piece async for piece in upload.pieces()])
            lines = content.decode().splitlines()
            for line in lines:
                name, _, price = line.partition(",")
                await shared.put("price", {"price": float(price)}, id=name)
            await upload.report(kept=len(lines))
        ```
        """

        def register(function: F) -> F:
            if not NAME.fullmatch(name):
                raise SkillMistake(f"{where(function)}: {name!r} cannot be an import. Use lower-case words.")
            self._add(read("import", name, function, self.settings_class, about=description, about_zh=zh))
            return function

        return register

    def every(self, schedule: str) -> Callable[[F], F]:
        """Run on a schedule: every `"30s"`, `"5m"`, `"2h"`, `"1d"`, or at the times of a cron line, in UTC.

        Nobody speaks in a job: no `Turn` and no `UserStore`; what it has to say goes through `Notify`.
        """

        def register(function: F) -> F:
            try:
                read_schedule(schedule)
            except ValueError as error:
                raise SkillMistake(f"{where(function)}: {error}") from None
            self._add(read("job", function.__name__, function, self.settings_class, schedule=schedule))
            return function

        return register

    def on_erased(self, function: F) -> F:
        """Be told that a person was erased: `async def forget(user: str, …)`, with the id that `Turn.user` had.

        Documents about them in `UserStore` are gone by then, and no process that has seen them goes on. This is for
        what you keep elsewhere under that id: in `SharedStore`, or at a host of yours. It is called again where it
        failed, so let it do no harm twice.
        """
        handler = read("erased", function.__name__, function, self.settings_class)
        if handler.arguments["properties"] != {"user": {"type": "string"}} or handler.arguments["required"] != ["user"]:
            raise SkillMistake(f"{where(function)}: it is told who was erased. Give it one argument: user: str")
        self._add(handler)
        return function

    def settings(self, kind: C) -> C:
        """What an operator can set: a class of typed fields. Write it above the handlers that take it.

        It becomes a frozen dataclass, and a handler is given it by its type. Fields are str, int, float, bool,
        `Literal`, list, dict, any of these or None, `Secret`, `Host` and `Folder`; one without a default has to be set
        before the skill works. Text in `Annotated[int, "…"]` is shown beside the field, `Chinese("…")` there to whoever
        reads the pages in Chinese, `Between` there bounds a number. `Secret` fields are sealed, and read through
        `Secrets`; servers named in `Host` fields may be reached through `Http`, folders named in `Folder` fields read
        through `Files`.

        ```python
        @skill.settings
        class Settings:
            litres: Annotated[int, "Litres in the can", Between(1, 50)] = 5
            tone: Literal["dry", "warm"] = "warm"
            api_key: Secret = Secret("")
        ```
        """
        if self.settings_class is not None:
            raise SkillMistake(
                f"{kind.__qualname__}: the skill has its settings already: {self.settings_class.__name__}."
            )
        if self._handlers:
            raise SkillMistake(f"{kind.__qualname__}: write the settings above the first handler.")
        # Decorating changes the class itself, so that its name and its type stay what the author wrote.
        made = kind if dataclasses.is_dataclass(kind) else cast("C", dataclasses.dataclass(frozen=True)(kind))
        try:
            object_schema(made)
        except TypeError as error:
            raise SkillMistake(
                f"{kind.__qualname__}: {error}. Use str, int, float, bool, Secret, Host, Folder, Literal, lists."
            ) from None
        self.settings_class = made
        return made

    def _add(self, handler: Handler) -> None:
        earlier = self._handlers.get(handler.id)
        if earlier is not None:
            place = where(earlier.function)
            raise SkillMistake(
                f"{where(handler.function)}: {handler.id} is there already, at {place}. Name it otherwise."
            )
        self._handlers[handler.id] = handler
