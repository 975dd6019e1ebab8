"""What admins do: teach, approve, answer what stayed open, and read the report."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from parlour.sdk import Button, Buttons, Chart, Clock, Crowd, Reply, Series, SharedStore, Turn, Upload
from parlour_customer_service.counting import Tally, forget_before, tally
from parlour_customer_service.learned import MOST, Pair, Parsed, changed, read_pairs
from parlour_customer_service.openings import open_questions
from parlour_customer_service.texts import say
from parlour_customer_service.trade import KEEP_DAYS, KEEP_OPEN_DAYS, STAFF, skill

_SHOWN: Final = 20
_SHOWN_CHARS: Final = 200
_REPORT_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Office:
    """An admin's order, and what it is carried out with. `rest` is what stands behind the order's name."""

    turn: Turn
    shared: SharedStore
    crowd: Crowd
    clock: Clock
    rest: str

    def say(self, key: str, **values: object) -> str:
        """A text in the admin's language."""
        return say(key, self.turn.language, **values)


@skill.command(
    "service", "For admins: teach, review, open questions, report", zh="管理员：教学、审核、未解答问题、报告"
)
async def service(turn: Turn, shared: SharedStore, crowd: Crowd, clock: Clock) -> AsyncIterator[Reply | str]:
    """Carry out an admin's order; without one, tell what there is."""
    if turn.role not in STAFF:
        yield say("staff_only", turn.language)
        return
    # `learn` may stand alone on the first line, what is taught below it.
    name, rest = [*turn.text.strip().split(maxsplit=1), "", ""][:2]
    order = _ORDERS.get(name.lower())
    if order is None:
        yield say("service_how", turn.language)
        return
    for reply in await order(Office(turn, shared, crowd, clock, rest.strip())):
        yield reply


@skill.imports("dialogues", "Past questions with their best answers: JSON lines or CSV", zh="历史问答：JSONL 或 CSV")
async def take_dialogues(upload: Upload, shared: SharedStore) -> str:
    """Put them into the queue for approval."""
    content = b"".join([piece async for piece in upload.pieces()])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        await upload.report(kept=0)
        return say("not_utf8", "en")
    parsed = read_pairs(text)
    broken = dict.fromkeys(parsed.broken, "has no question, or no answer")
    await upload.report(kept=len(parsed.pairs), refused=len(broken), rows=broken)
    return await _proposed(parsed, shared, "en")


@skill.every("1d")
async def tidy(shared: SharedStore, clock: Clock) -> None:
    """Forget what is past its time."""
    today = clock.now().date()
    await forget_before(shared, today - timedelta(days=KEEP_OPEN_DAYS), ["open"])
    await forget_before(shared, today - timedelta(days=KEEP_DAYS), ["day"])


Replies = list[Reply | str]


async def _learn(office: Office) -> Replies:
    parsed = read_pairs(office.rest)
    if not parsed.pairs and not parsed.broken:
        return [office.say("service_how")]
    return [await _proposed(parsed, office.shared, office.turn.language)]


async def _proposed(parsed: Parsed, shared: SharedStore, language: str) -> str:
    """Put the pairs into the queue that are not known yet, and tell what became of all."""
    waiting = {one["id"] for one in await shared.all("proposal")}
    known = {one["id"] for one in await shared.all("learned")}
    new = [pair for pair in {one.id: one for one in parsed.pairs}.values() if pair.id not in waiting | known]
    room = max(0, MOST - len(waiting))
    for pair in new[:room]:
        await shared.put("proposal", {"question": pair.question, "answer": pair.answer}, id=pair.id)
    told = [say("proposed", language, count=len(new[:room]))]
    if already := len(parsed.pairs) - len(new):
        told.append(say("known_already", language, count=already))
    if parsed.broken:
        told.append(say("left_out", language, what=_lines(parsed.broken)))
    if len(new) > room:
        told.append(say("full", language, most=MOST))
    return "\n".join(told)


def _lines(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(str(one) for one in numbers[:_SHOWN])
    return f"{shown} …" if len(numbers) > _SHOWN else shown


async def _review(office: Office) -> Replies:
    waiting = await office.shared.all("proposal")
    if not waiting:
        return [office.say("nothing_to_review")]
    first = waiting[0]
    text = office.say("review_one", id=first["id"], question=first["question"], answer=first["answer"])
    buttons = (
        Button(office.say("approve"), f"/service approve {first['id']}"),
        Button(office.say("reject"), f"/service reject {first['id']}"),
    )
    return [Buttons(f"{office.say('reviews_left', count=len(waiting))}\n\n{text}", buttons)]


async def _approve(office: Office) -> Replies:
    waiting = {one["id"]: one for one in await office.shared.all("proposal")}
    chosen = list(waiting) if office.rest.lower() in {"all", "全部"} else [office.rest]
    if missing := [one for one in chosen if one not in waiting]:
        return [office.say("no_such", id=missing[0])]
    room = max(0, MOST - len(await office.shared.all("learned")))
    for name in chosen[:room]:
        await _teach(office, Pair(waiting[name]["question"], waiting[name]["answer"]))
        await office.shared.delete("proposal", name)
    await changed(office.shared)
    told: Replies = [office.say("approved_count", count=len(chosen[:room]))]
    if len(chosen) > room:
        told.append("\n" + office.say("full", most=MOST))
    return told if len(chosen) == len(waiting) else [*told, "\n\n", *await _review(office)]


async def _teach(office: Office, pair: Pair) -> None:
    await office.shared.put("learned", {"question": pair.question, "answer": pair.answer}, id=pair.id)


async def _reject(office: Office) -> Replies:
    return [
        office.say("rejected" if await office.shared.delete("proposal", office.rest) else "no_such", id=office.rest)
    ]


async def _edit(office: Office) -> Replies:
    name, _, answer = office.rest.partition(" ")
    known = await office.shared.get("proposal", name) if name else None
    if known is None or not answer.strip():
        return [office.say("no_such", id=name)]
    await office.shared.put("proposal", {**known, "answer": answer.strip()}, id=name)
    return [office.say("edited", id=name)]


async def _open(office: Office) -> Replies:
    found = await open_questions(office.shared)
    if not found:
        return [office.say("nothing_open")]
    lines = [f"- **{one['id']}** {_short(one['question'])} ({one['times']})" for one in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(office.say("more", count=len(found) - _SHOWN))
    return ["\n".join([office.say("open_title"), *lines])]


async def _answer(office: Office) -> Replies:
    name, _, answer = office.rest.partition(" ")
    known = await office.shared.get("open", name) if name else None
    if known is None or not answer.strip():
        return [office.say("no_such", id=name)]
    await _teach(office, Pair(known["question"], answer.strip()))
    await office.shared.delete("open", name)
    await changed(office.shared)
    return [office.say("answered", id=name)]


async def _drop(office: Office) -> Replies:
    return [office.say("dropped" if await office.shared.delete("open", office.rest) else "no_such", id=office.rest)]


async def _learned(office: Office) -> Replies:
    found = await office.shared.all("learned")
    lines = [f"- **{one['id']}** {_short(one['question'])}: {_short(one['answer'])}" for one in found[-_SHOWN:]]
    if len(found) > _SHOWN:
        lines.append(office.say("more", count=len(found) - _SHOWN))
    return ["\n".join(lines) or office.say("nothing_learned")]


async def _forget(office: Office) -> Replies:
    if not await office.shared.delete("learned", office.rest):
        return [office.say("no_such", id=office.rest)]
    await changed(office.shared)
    return [office.say("forgotten", id=office.rest)]


async def _report(office: Office) -> Replies:
    given = office.rest or str(_REPORT_DAYS)
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= KEEP_DAYS):
        return [office.say("report_days", given=given[:20])]
    days = int(given)
    counted = await tally(office.shared, office.clock.now().date(), days)
    if not counted.total:
        return [office.say("report_none", days=days)]
    return [
        _summary(office, counted),
        _chart(office, counted),
        "\n\n",
        await _missed(office, days),
        *await _open(office),
    ]


async def _missed(office: Office, days: int) -> str:
    """What many people asked in vain; nobody's question can be told from it."""
    found = await office.crowd.counts("missed", "word", days=days)
    words = ", ".join(f"{word} ({people})" for word, people in [*found.items()][:_SHOWN])
    return f"{office.say('missed', words=words)}\n\n" if words else ""


def _summary(office: Office, counted: Tally) -> str:
    total = counted.total
    return office.say(
        "report",
        **{event: total[event] for event in ("asked", "answered", "clarified", "unknown", "handed")},
        deflection=_share(counted.deflection),
        rating=_share(counted.rating),
        rated=total["good"] + total["bad"],
    )


def _chart(office: Office, counted: Tally) -> Chart:
    series = tuple(
        Series(office.say(f"series_{event}"), tuple(float(one[event]) for one in counted.counts))
        for event in ("answered", "clarified", "unknown", "handed")
    )
    title = office.say("report_title", days=len(counted.days))
    return Chart(title, tuple(f"{one:%m-%d}" for one in counted.days), series, "bar")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN_CHARS else f"{flat[:_SHOWN_CHARS]}…"


_ORDERS: Final[dict[str, Callable[[Office], Awaitable[Replies]]]] = {
    "learn": _learn,
    "review": _review,
    "approve": _approve,
    "reject": _reject,
    "edit": _edit,
    "open": _open,
    "answer": _answer,
    "drop": _drop,
    "learned": _learned,
    "forget": _forget,
    "report": _report,
}
