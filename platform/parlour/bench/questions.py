"""What people ask in the serving benchmark: short questions of everyday life, each one asked once a run."""

from typing import Final

_TOPICS: Final = (
    "the capital of France",
    "how to keep basil alive on a window sill",
    "why the sky is blue",
    "a quick supper with rice and eggs",
    "how a sailing boat goes against the wind",
    "what to pack for two days in the mountains",
    "how interest on a loan is counted",
    "why bread rises",
    "how to learn a few words of a language every day",
    "what makes a good night's sleep",
    "how trains are kept from running into each other",
    "how to remove a stain of red wine",
    "why leaves turn red in autumn",
    "how a refrigerator moves heat",
    "what to look for when buying a used bicycle",
    "how to write a letter of thanks",
)
_FORMS: Final = (
    "Please explain to me {topic}.",
    "I would like to know more about {topic}. Where do I begin?",
    "Tell a child of eight years about {topic}, in plain words.",
    "Give me five facts about {topic}, one in a line.",
)


def question(person: int, number: int) -> str:
    """The `number`-th question of a person: the same ones in every run, no two alike within a run."""
    topic = _TOPICS[(person + number) % len(_TOPICS)]
    form = _FORMS[(person // len(_TOPICS) + number) % len(_FORMS)]
    return f"{form.format(topic=topic)} (Question {number + 1} of person {person + 1}.)"
