"""What a model is asked in order to learn about a person, and what of its answer is believed."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from parlour.engines.protocol import Message
from parlour.people.facts import LONGEST_TEXT, EntryKind, Fact, Slot, plain_words
from parlour.people.sensitive import is_sensitive
from parlour.people.telling import ended_sentences, is_wish, told

# A small model's prompt holds no more of what is known.
MOST_KNOWN: Final = 30
_MOST_FACTS: Final = 5
_LONGEST_MESSAGE: Final = 2_000
_ABOUT_ONESELF: Final = re.compile(r"\b(?:i|i'm|i've|i'd|me|my|mine|we|our)\b|我|咱|本人", re.IGNORECASE)
# Of a fact's words so many at least are the person's own: the rest a model may have made up.
_LEAST_GROUNDED: Final = 0.6
_KINDS: Final = (*(slot.value for slot in Slot), EntryKind.INTEREST.value, EntryKind.MEMORY.value)
_SYSTEM: Final = (
    "You note lasting facts that a person states about themselves, to know them next time. Use the person's own words "
    "and language, one short sentence for each fact. kind is name (what to call them), language (which they "
    "always want answers in), tone, length, format (how they want answers), never (what they do not want), interest, "
    "or memory (any other lasting fact: home, work, family, likes). replaces is the number of the known fact that the "
    "new one corrects, or 0. Note nothing that the message does not say, no questions, no passing matters, "
    "no secrets, nothing about health, religion, politics or sex. "
    "Most messages hold nothing: then facts is empty."
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A fact as the model proposed it; `replaces` is the number of a known one, 0 for none."""

    fact: Fact
    replaces: int


def schema() -> dict[str, Any]:
    """The shape of the model's answer."""
    fact = {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": list(_KINDS)},
            "text": {"type": "string", "maxLength": LONGEST_TEXT},
            "replaces": {"type": "integer", "minimum": 0, "maximum": MOST_KNOWN},
        },
        "required": ["kind", "text", "replaces"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"facts": {"type": "array", "items": fact, "maxItems": _MOST_FACTS}},
        "required": ["facts"],
        "additionalProperties": False,
    }


def might_tell(text: str) -> bool:
    """Whether it is worth asking a model: the person speaks of themselves, and not in questions alone."""
    return any(
        _ABOUT_ONESELF.search(sentence) and not sentence.rstrip().endswith(("?", "？")) for sentence in _told_in(text)
    )


def prompt_for(text: str, known: Sequence[str]) -> list[Message]:
    """What to ask the model about one message."""
    listed = "\n".join(f"{number}. {fact}" for number, fact in enumerate(known[:MOST_KNOWN], start=1)) or "nothing"
    asked = f"Known:\n{listed}\n\nThe person's message:\n{text[:_LONGEST_MESSAGE]}"
    return [Message("system", _SYSTEM), Message("user", asked)]


def proposals(answer: str, message: str, *, seems_sensitive: Callable[[str], bool] = lambda _: False) -> list[Proposal]:
    """What is believed of the model's answer: in the message's own words, lasting, and nothing sensitive.

    The sentence that a fact was taken from counts as well: what is harmless only because half of it was left out is
    not learned. `seems_sensitive` looks once more at what the rules let pass; wishes are no matter for it.
    """
    try:
        found = json.loads(answer)["facts"]
    except (ValueError, KeyError, TypeError):
        return []
    told_in = _told_in(message)
    wanted = []
    for one in found if isinstance(found, list) else []:
        proposal = _read(one)
        if proposal is not None and _is_believed(proposal.fact, told_in, seems_sensitive):
            wanted.append(proposal)
    return wanted[:_MOST_FACTS]


def _read(one: Any) -> Proposal | None:  # noqa: ANN401 (whatever a model writes)
    if not isinstance(one, dict) or one.get("kind") not in _KINDS:
        return None
    kind, text, replaces = one["kind"], " ".join(str(one.get("text", "")).split()), one.get("replaces", 0)
    if not 0 < len(text) <= LONGEST_TEXT:
        return None
    slot = Slot(kind) if kind in list(Slot) else None
    fact = Fact(EntryKind.PREFERENCE if slot else EntryKind(kind), text, slot)
    return Proposal(fact, replaces if isinstance(replaces, int) else 0)


def _is_believed(fact: Fact, told_in: Sequence[str], seems_sensitive: Callable[[str], bool]) -> bool:
    words = plain_words(fact.text)
    if not words or fact.text.endswith(("?", "？")):
        return False
    shares = [(len(words & plain_words(sentence)) / len(words), sentence) for sentence in told_in]
    share, origin = max(shares, default=(0.0, ""))
    if share < _LEAST_GROUNDED or origin.endswith(("?", "？")):
        return False
    # A wish is believed only where the person's sentence is one: small models call everything a wish.
    stated = told(origin)
    if fact.slot is not None and not (stated.slot is fact.slot if stated else is_wish(origin)):
        return False
    if is_sensitive(fact.text) or is_sensitive(origin):
        return False
    return fact.slot is not None or not (seems_sensitive(origin) or seems_sensitive(fact.text))


def _told_in(text: str) -> list[str]:
    """The sentences of a message, each with the mark that it ends with where that is a question mark."""
    return [f"{sentence}?" if sign == "?" else sentence for sentence, sign in ended_sentences(text)]
