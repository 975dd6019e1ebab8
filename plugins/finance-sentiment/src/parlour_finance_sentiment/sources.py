"""Where news comes from: addresses that the operator set, each fetched through the host."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from parlour.sdk import CapabilityError, Http, NotGranted, TooMuch
from parlour_finance_sentiment.feeds import BadFeed, read_feed, read_json
from parlour_finance_sentiment.items import Item

_OK: Final = 200
_FIELDS: Final = frozenset({"items", "title", "link", "time"})
_ACCEPT: Final = {"Accept": "application/rss+xml, application/atom+xml, application/json, text/xml;q=0.9, */*;q=0.1"}


class BadSource(Exception):
    """A line of the setting `sources` that cannot be read."""


@dataclass(frozen=True, slots=True)
class Source:
    """An address. `fields` says where in JSON the items are; None for RSS and Atom."""

    url: str
    fields: Mapping[str, str] | None = None

    @property
    def host(self) -> str:
        """The server's name."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source gave: items, or a problem in words for the operator."""

    source: Source
    items: tuple[Item, ...] = ()
    problem: str = ""


def read_source(line: str) -> Source:
    """The source in a line: `https://…`, or `json https://… items=data.news title=headline`. Raises `BadSource`."""
    words = line.split()
    is_json = words[:1] == ["json"]
    words = words[1:] if is_json or words[:1] == ["rss"] else words
    if not words or not words[0].startswith("https://"):
        raise BadSource(
            f"{line[:80]!r} is no source. Write https://…, or: json https://… items=data.news title=headline"
        )
    fields = dict(word.partition("=")[::2] for word in words[1:])
    if unknown := {*fields} - _FIELDS:
        raise BadSource(f"{line[:80]!r}: {min(unknown)!r} is unknown. There are: {', '.join(sorted(_FIELDS))}.")
    return Source(words[0], fields if is_json else None)


async def fetch(source: Source, http: Http, now: datetime) -> Fetched:
    """What the source has now. Never raises: one broken source holds up no other."""
    try:
        answer = await http.get(source.url, headers=_ACCEPT)
        if answer.status != _OK:
            return Fetched(source, problem=f"It answered {answer.status}.")
        if source.fields is not None:
            return Fetched(source, tuple(read_json(answer.body, source.fields, source.host, now)))
        return Fetched(source, tuple(read_feed(answer.body, source.host, now)))
    except TooMuch:
        return Fetched(source, problem="It is larger than 8 MB, or redirects without end. Nothing of it was read.")
    except NotGranted as error:
        return Fetched(source, problem=f"It may not be reached: {error}")
    except (CapabilityError, BadFeed) as error:
        return Fetched(source, problem=str(error))
