"""The skill itself, what can be set, and what it keeps."""

from typing import Annotated, Final

from parlour.sdk import Skill
from parlour_recommendation.knowing import Knowing

skill = Skill(
    "recommendation",
    "Recommends from a catalogue what you may like, and says why",
    zh="从目录中推荐您可能喜欢的内容，并说明原因",
    keeps={
        "liked": "what you liked, commented on, shared or bought",
        "seen": "what you looked at",
        "dismissed": "what you do not want to see again",
        "shown": "what was recommended to you last",
        "catalogue": "the items that can be recommended",
        "past": "how many people liked what, from logs that an operator handed in; no person in it",
        "own": "how many people liked what here, five or more each; no person in it",
        "state": "which version of catalogue and counts is in use, and how much each sign counts",
    },
)

STAFF: Final = frozenset({"admin", "owner"})
# A message takes ten buttons: two for each item, and one for more.
MOST_SHOWN: Final = 4
knowing = Knowing()


@skill.settings
class Settings:
    """What an operator can set: parlour skill configure recommendation variety=1."""

    most: Annotated[int, "How many items are recommended at once, 1 to 4"] = MOST_SHOWN
    variety: Annotated[float, "From 0 (the best alone, however alike) to 3 (as different as can be)"] = 0.5
    again: Annotated[bool, "Recommend what a person looked at and did not like, too"] = False
