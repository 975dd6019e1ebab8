"""A turn and what its answer needs, whatever was asked."""

from dataclasses import dataclass
from datetime import datetime

from parlour.sdk import Turn, UserStore
from parlour_finance_sentiment.definition import Settings, subjects_of
from parlour_finance_sentiment.shelf import Shelf
from parlour_finance_sentiment.subjects import Subjects
from parlour_finance_sentiment.wording import ADVICE, say


@dataclass(frozen=True, slots=True)
class Desk:
    """What every answer needs."""

    turn: Turn
    shelf: Shelf
    now: datetime
    settings: Settings

    def say(self, name: str, **values: object) -> str:
        """The text in the language of the turn."""
        return say(name, self.turn.language, **values)

    async def subjects(self) -> Subjects:
        """Companies and topics as this workspace knows them."""
        return await subjects_of(self.shelf, self.settings)

    async def meant(self, said: str) -> tuple[str | None, str]:
        """The subject that was named and how to show it; None and what to say where it is not known."""
        subjects = await self.subjects()
        subject = subjects.meant(said or "all")
        if subject is not None:
            return subject, subjects.shown(subject, self.turn.language)
        near = ", ".join(subjects.near(said))
        hint = self.say("near", near=near) if near else ""
        return None, self.say("unknown", said=said[:60], hint=hint)

    @property
    def is_admin(self) -> bool:
        """Whether the person may change how the skill works for everybody."""
        return self.turn.role in {"admin", "owner"}


async def advice(turn: Turn, mine: UserStore) -> str:
    """That none of it is investment advice: for each person once, then nothing."""
    if await mine.get("told", "advice"):
        return ""
    await mine.put("told", {}, id="advice")
    return ADVICE.get(turn.language, ADVICE["en"])
