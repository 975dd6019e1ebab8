"""Questions that could not be answered, as far as people passed them on: without a name, and not for long."""

import hashlib
import re
from datetime import datetime
from typing import Any, Final

from parlour.sdk import SharedStore
from parlour_customer_service.learned import MOST

# What points at a person or an account: addresses, links, names after @, and numbers of four digits or more.
_PERSONAL: Final = re.compile(r"\S+@\S+|https?://\S+|@\w+|\+?\d(?:[\d\s().-]{2,}\d)")


async def open_question(shared: SharedStore, question: str, now: datetime) -> str:
    """Put the question on the shelf, what points at a person left out, and return its id; the same one is counted."""
    text = without_personal(question)
    name = hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()[:6]
    known = await shared.get("open", name)
    there = await shared.all("open") if known is None else []
    for oldest in there[: max(0, len(there) - MOST + 1)]:
        await shared.delete("open", oldest["id"])
    times = int(known["times"]) if known else 0
    await shared.put("open", {"question": text, "times": times + 1, "day": now.date().isoformat()}, id=name)
    return name


def without_personal(text: str) -> str:
    """The text with `…` for addresses, links, handles and long numbers."""
    return _PERSONAL.sub("…", text)


async def open_questions(shared: SharedStore) -> list[dict[str, Any]]:
    """What is open, the most often asked first."""
    return sorted(await shared.all("open"), key=lambda one: -int(one["times"]))
