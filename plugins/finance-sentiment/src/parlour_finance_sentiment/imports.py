"""Files that an operator hands in. A folder that goes on by itself is `folder.py`."""

import re
from collections.abc import Sequence
from typing import Final

from parlour.sdk import Clock, SharedStore, Upload
from parlour_finance_sentiment import teaching
from parlour_finance_sentiment.definition import Settings, skill, subjects_of
from parlour_finance_sentiment.feeds import BadFeed, read_file
from parlour_finance_sentiment.judging import Judge
from parlour_finance_sentiment.readers import readers_of
from parlour_finance_sentiment.shelf import Shelf
from parlour_finance_sentiment.subjects import read_companies
from parlour_finance_sentiment.watching import OLDEST, take_in

LARGEST_BYTES: Final = 8_000_000
_MOST_PROBLEMS: Final = 10


@skill.imports("news", "News to judge and count: a feed, JSON, JSON lines or text", zh="待判断的新闻文件")
async def import_news(upload: Upload, shared: SharedStore, clock: Clock, settings: Settings) -> str:
    """A file of news. Handing in the same one again counts nothing twice."""
    shelf, now = Shelf(shared), clock.now()
    try:
        items = read_file(await _whole(upload), "file", now)
    except (BadFeed, TooLarge) as error:
        await upload.report(kept=0)
        return f"Nothing was read. {error}"
    taken = await take_in(shelf, Judge(await readers_of(shelf), await subjects_of(shelf, settings)), items, now)
    told = f"{len(taken.kept)} items are new, {taken.repeated} are known or older than {OLDEST.days} days."
    return f"{told} {taken.without_room} found no room." if taken.without_room else told


@skill.imports("companies", "Companies, each on a line: NVDA | Nvidia | 英伟达", zh="公司名单，每行一家")
async def import_companies(upload: Upload, shared: SharedStore) -> str:
    """The operator's own list, in place of the one handed in before, beside the one that comes along."""
    try:
        lines = [line for line in _text(await _whole(upload)).splitlines() if line.strip()]
    except TooLarge as error:
        await upload.report(kept=0)
        return f"Nothing was read. {error}"
    good, problems = read_companies(lines)
    await upload.report(kept=len(good), refused=len(problems), rows=_by_row(problems))
    await Shelf(shared).put_companies([" | ".join((one.ticker, *one.names)) for one in good])
    return "\n".join([f"{len(good)} companies.", *problems[:_MOST_PROBLEMS]])


@skill.imports("labels", "Labelled sentences to learn from: CSV with text and label, or JSON lines", zh="标注句子")
async def import_labels(upload: Upload, shared: SharedStore) -> str:
    """The operator's own labels, in place of those there; learns from them at once."""
    shelf = Shelf(shared)
    try:
        labels, problems = teaching.read_labels(_text(await _whole(upload)))
    except TooLarge as error:
        await upload.report(kept=0)
        return f"Nothing was read. {error}"
    await upload.report(kept=len(labels), refused=len(problems), rows=_by_row(problems))
    await shelf.put_labels(labels)
    learnt = await teaching.retrain(shelf, "en")
    return "\n".join([f"{len(labels)} labels.", *problems[:_MOST_PROBLEMS], *learnt])


class TooLarge(Exception):
    """The file is larger than what is read at once."""


def _by_row(problems: Sequence[str]) -> dict[int, str]:
    """Problems that begin with their row (`Line 3: …`), by it."""
    found = (re.match(r"\w+ (\d+): (.+)", problem) for problem in problems)
    return {int(one[1]): one[2] for one in found if one}


async def _whole(upload: Upload) -> bytes:
    made = bytearray()
    async for piece in upload.pieces():
        made += piece
        if len(made) > LARGEST_BYTES:
            raise TooLarge(f"The file has more than {LARGEST_BYTES:,} bytes. Hand it in in parts.")
    return bytes(made)


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig", "replace")
