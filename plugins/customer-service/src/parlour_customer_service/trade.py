"""The skill itself, what can be set, and what it keeps."""

from typing import Annotated, Final, Literal

from parlour.sdk import Skill

skill = Skill(
    "customer-service",
    "Answers customers from the organisation's knowledge, with citations; learns, and hands over to a human",
    zh="依据组织的知识回答客户并注明出处；可学习，可转人工",
    keeps={
        "asked": "your last question and how it was answered, to rate it or to pass it on",
        "missed": "words of your questions that could not be answered, to count what many people miss",
        "proposal": "questions with answers that wait for an admin's approval",
        "learned": "questions with answers that an admin approved",
        "open": "questions that people passed on without their name, for 30 days",
        "day": "how many questions were asked, answered and rated on a day",
        "state": "whether what was learned has changed",
    },
)

# How long a question that was passed on is kept, and the numbers of a day.
KEEP_OPEN_DAYS: Final = 30
KEEP_DAYS: Final = 90
STAFF: Final = frozenset({"admin", "owner"})


@skill.settings
class Settings:
    """What an operator can set: parlour skill configure customer-service style=quote."""

    style: Annotated[
        Literal["write", "quote"],
        "write: the model writes the answer, and what the documents do not say is thrown away; quote: they are quoted",
    ] = "write"
    caution: Annotated[float, "From 0 to 1: the higher, the more often it says that it does not know"] = 0.5
    asks_back: Annotated[bool, "Ask which one is meant when a question is open to several answers"] = True
