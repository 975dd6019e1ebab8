"""People who talk while things break."""

import random
import time
from itertools import count

from tests.chaos.judge import Verdict, judge
from tests.fakes.telegram import FakeTelegram

_WORDS = ("when", "does", "the", "next", "train", "to", "the", "coast", "leave", "today")
_FIRST_PERSON = 1_000


class Crowd:
    """So many people, each in a private chat of their own; no two texts are alike."""

    def __init__(
        self, telegram: FakeTelegram, *, people: int, dice: random.Random, first_person: int = _FIRST_PERSON
    ) -> None:
        """`first_person`: their ids count on from it; crowds that come after one another need people of their own."""
        self._telegram = telegram
        self._people = range(first_person, first_person + people)
        self._dice = dice
        self._numbers = count(1)

    @property
    def people(self) -> range:
        """Their ids, which are those of their chats."""
        return self._people

    def say(self, person: int | None = None, *, words: int = 0) -> None:
        """Somebody, or this person, says something, of so many words if that matters."""
        speaker = self._dice.choice(self._people) if person is None else person
        text = " ".join(self._dice.choices(_WORDS, k=words or self._dice.randint(2, 8)))
        self._telegram.say(speaker, f"number {next(self._numbers)} of {speaker}: {text}?")

    def verdict(self) -> Verdict:
        """What became of everything so far, what earlier crowds said included."""
        return judge(self._telegram.journal("user_wrote", "bot_sent", "bot_edited", "bot_deleted"))

    def settled(self, *, patience_s: float, linger_s: float = 1.0) -> Verdict:
        """The verdict when all is answered and no draft stands, or when nothing has moved for `patience_s`.

        Watched for `linger_s` more, so that what comes twice is seen too.
        """
        before, since = self.verdict(), time.monotonic()
        while (before.lost or before.left_over) and time.monotonic() - since < patience_s:
            time.sleep(0.1)
            now = self.verdict()
            if now != before:
                before, since = now, time.monotonic()
        deadline = time.monotonic() + linger_s
        while time.monotonic() < deadline:
            time.sleep(0.1)
        return self.verdict()
