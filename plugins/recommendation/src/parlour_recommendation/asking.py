"""What people say and press: `/recommend`, its buttons, a question in plain words, `/catalogue`."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final, get_args

from parlour.sdk import Button, Buttons, Clock, Reply, SharedStore, Turn, UserStore
from parlour_recommendation.catalogue import Report, put_in, rows_of
from parlour_recommendation.choosing import Choice, choose, note_event, note_shown, shown_to
from parlour_recommendation.history import Kind, forget, recall
from parlour_recommendation.items import Item, item_of
from parlour_recommendation.pages import head
from parlour_recommendation.rows import Row
from parlour_recommendation.texts import plain, say
from parlour_recommendation.trade import STAFF, Settings, knowing, skill

_KINDS: Final = frozenset(get_args(Kind))
_LONGEST_LABEL: Final = 40
_MOST_PASTED: Final = 500


@skill.command("recommend", "Recommend something; or say what you look for", zh="推荐；也可以说明您想找什么")
async def recommend(turn: Turn, shared: SharedStore, mine: UserStore, clock: Clock, settings: Settings) -> Reply | str:
    """Recommend, or take in a press of a button: `like ID`, `dismiss ID`, `more`, `forget`."""
    first, _, rest = turn.text.partition(" ")
    if first in _KINDS and rest and " " not in rest:
        return await _did(turn, shared, mine, clock, settings, name=rest, kind=_kind(first))
    if turn.text == "forget":
        return say(turn.language, "forgotten", count=await forget(mine))
    is_more = turn.text == "more"
    return await _show(turn, shared, mine, clock, settings, asked="" if is_more else turn.text, is_more=is_more)


@skill.answers(
    "Recommend me something",
    "What should I watch next?",
    "What could I read next?",
    "Can you suggest something I would like?",
    "I am looking for something new to try",
    "What is popular at the moment?",
    "给我推荐点什么",
    "有什么好看的推荐吗？",
    "我接下来看什么好？",
)
async def suggest(turn: Turn, shared: SharedStore, mine: UserStore, clock: Clock, settings: Settings) -> Reply | str:
    """Recommend what the person may like, as with the command alone."""
    return await _show(turn, shared, mine, clock, settings, asked="", is_more=False)


@skill.command("catalogue", "What can be recommended; admins add items", zh="可推荐的目录；管理员可添加")
async def catalogue(turn: Turn, shared: SharedStore, clock: Clock) -> str:
    """Say how large the catalogue is, or take in rows that an admin pasted."""
    if turn.text:
        return await _pasted(turn, shared, clock)
    which = await head(shared, "catalogue")
    if not which.size:
        return say(turn.language, "no_catalogue")
    day = datetime.fromtimestamp(which.at, UTC).date()
    return say(turn.language, "catalogue", count=which.size, day=day)


async def _show(
    turn: Turn, shared: SharedStore, mine: UserStore, clock: Clock, settings: Settings, *, asked: str, is_more: bool
) -> Reply | str:
    known = await knowing.now(shared)
    if known is None:
        return say(turn.language, "no_catalogue")
    before = await shown_to(mine) if is_more else []
    choices = await choose(known, await recall(mine), clock, settings, asked=asked, passed=before)
    if not choices:
        return say(turn.language, "nothing_asked" if asked else "nothing")
    await note_shown(mine, before, choices)
    lines = [f"{number}. {_line(turn, choice)}" for number, choice in enumerate(choices, start=1)]
    buttons = [*_buttons(choices), Button(say(turn.language, "more"), "/recommend more")]
    return Buttons("\n".join([say(turn.language, "head"), "", *lines]), tuple(buttons))


def _line(turn: Turn, choice: Choice) -> str:
    title = _title(choice.item)
    reason = why(choice, turn.language)
    # In a group, everyone would read what the person liked.
    return f"**{title}**" if choice.source and not turn.is_private else f"**{title}**: {reason}"


def why(choice: Choice, language: str) -> str:
    """The reason in words."""
    if choice.source is not None:
        return say(language, f"because_{choice.did or 'like'}", title=plain(choice.source.title))
    return say(language, choice.reason)


def _buttons(choices: Sequence[Choice]) -> list[Button]:
    return [
        Button(f"{mark} {choice.item.title[:_LONGEST_LABEL]}", f"/recommend {kind} {choice.item.id}")
        for choice in choices
        for mark, kind in (("👍", "like"), ("👎", "dismiss"))
    ]


def _title(item: Item) -> str:
    title = plain(item.title)
    is_link = item.url.startswith(("https://", "http://")) and not set(item.url) & set(' ()<>"')
    return f"[{title}]({item.url})" if is_link else title


async def _did(
    turn: Turn, shared: SharedStore, mine: UserStore, clock: Clock, settings: Settings, *, name: str, kind: Kind
) -> Reply | str:
    item = await note_event(shared, mine, clock, settings, name=name, kind=kind)
    if item is None:
        return say(turn.language, "unknown", name=name.replace("`", "'"))
    noted = say(turn.language, f"noted_{kind}", title=plain(item.title))
    return Buttons(noted, (Button(say(turn.language, "more"), "/recommend more"),))


def _kind(word: str) -> Kind:
    (kind,) = (one for one in get_args(Kind) if one == word)
    return kind  # type: ignore[no-any-return] # one of the literals by construction


async def _pasted(turn: Turn, shared: SharedStore, clock: Clock) -> str:
    if turn.role not in STAFF:
        return say(turn.language, "staff_only")

    async def pieces() -> AsyncIterator[bytes]:
        yield turn.text.encode("utf-8", "surrogatepass")

    report, items = Report(), list[Item]()
    async for row in rows_of(pieces()):
        one = item_of(row) if isinstance(row, Row) else row
        if isinstance(one, Item) and len(items) < _MOST_PASTED:
            items.append(one)
        elif not isinstance(one, Item):
            report.refuse(one)
    if items:
        await put_in(shared, items, now=clock.now().timestamp())
    report.kept = len(items)
    return told(report, turn.language)


def told(report: Report, language: str) -> str:
    """What came of the rows: counts, and the first of those that could not be kept by number."""
    lines = [say(language, "kept", kept=report.kept, broken=report.broken)]
    lines += [say(language, "row", number=one.number, problem=one.problem) for one in report.first]
    if report.broken > len(report.first):
        lines.append(say(language, "rows_more", count=report.broken - len(report.first)))
    if not report.kept:
        lines.append(say(language, "none_kept"))
    return "\n".join(lines)
