"""People who talk while things break."""

import random
import time
from itertools import count

from tests.chaos.heard import MENTION, on_slack, on_telegram
from tests.chaos.judge import Special, Verdict, judge
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import FakeTelegram

_WORDS = ("when", "does", "the", "next", "train", "to", "the", "coast", "leave", "today")
_FIRST_PERSON = 1_000
# Whoever talks to a broken skill does nothing else, and is nobody of the crowd.
_STRANGERS = 1_000_000
# So many messages of a hundred reach the bot late, as when it was away, and so late at most.
_LATE_PERCENT = 10
_LATEST_S = 5 * 3_600.0
# So many of a hundred take the engine long enough that drafts of their answers are seen.
_LONG_PERCENT = 10
_MANY_WORDS = 80
# So many messages of a hundred in Telegram are written where all of the crowd are.
_IN_GROUP_PERCENT = 30


class Crowd:
    """So many people, each in a private chat of their own, and now and then in a group; no two texts are alike.

    With a Slack half of them, those with odd numbers, talk there.
    """

    def __init__(
        self,
        telegram: FakeTelegram,
        *,
        people: int,
        dice: random.Random,
        first_person: int = _FIRST_PERSON,
        slack: FakeSlack | None = None,
        special: Special | None = None,
        is_varied: bool = True,
        has_group: bool = False,
    ) -> None:
        """`first_person`: their ids count on from it; crowds that come after one another need people of their own.

        They share `special`, since each is judged with all before it. `is_varied`: some messages come late, some are
        long. `has_group`: some are said in the group.
        """
        self._telegram = telegram
        self._slack = slack
        self._people = range(first_person, first_person + people)
        self._dice = dice
        self._is_varied = is_varied
        self._numbers = count(1)
        self._special = Special() if special is None else special
        self._has_group = has_group
        self._group = -first_person
        telegram.do("group", chat=self._group)

    @property
    def people(self) -> range:
        """Their ids."""
        return self._people

    @property
    def on_telegram(self) -> range:
        """Those who talk in Telegram; their ids are those of their chats."""
        return self._people if self._slack is None else self._people[self._people[0] % 2 :: 2]

    def say(self, person: int | None = None, *, words: int = 0, is_in_group: bool | None = None) -> None:
        """Somebody, or this person, says something; of so many words and in the group or not, if that matters."""
        speaker = self._dice.choice(self._people) if person is None else person
        is_long = self._is_varied and self._dice.randrange(100) < _LONG_PERCENT
        words = words or (_MANY_WORDS if is_long else self._dice.randint(2, 8))
        text = " ".join(self._dice.choices(_WORDS, k=words))
        said = f"number {next(self._numbers)} of {speaker}: {text}?"
        is_late = self._is_varied and self._dice.randrange(100) < _LATE_PERCENT
        age_s = self._dice.uniform(0, _LATEST_S) if is_late else 0.0
        if is_in_group is None:
            is_in_group = self._has_group and self._dice.randrange(100) < _IN_GROUP_PERCENT
        if self._slack is not None and speaker % 2:
            self._slack.say(f"U{speaker}", said, age_s=age_s)
        elif is_in_group:
            self._telegram.say(speaker, f"{MENTION}{said}", chat=self._group, age_s=age_s)
        else:
            self._telegram.say(speaker, said, age_s=age_s)

    def meet_trouble(self, text: str, *, is_endless: bool = False) -> None:
        """Somebody who was never there before says this to a broken skill, as in `trouble`."""
        self.trouble(_STRANGERS + len(self._special.trouble), text, is_endless=is_endless)

    def trouble(self, person: int, text: str, *, is_endless: bool = False, has_file: bool = False) -> None:
        """This person says in Telegram, perhaps under a file, what is answered otherwise than in the same words.

        Nothing else is judged of them. `is_endless`: it may not be answered yet when the judge looks.
        """
        self._special.trouble.add(("telegram", person))
        if is_endless:
            self._special.forgotten.add(text)
        if has_file:
            self._telegram.do("send_file", user=person, caption=text)
        else:
            self._telegram.say(person, text)

    def forget(self, person: int) -> None:
        """This person was erased: what they have said in Telegram may stay without an answer."""
        asked = on_telegram(self._telegram.journal("user_wrote")).asked.values()
        self._special.forgotten.update(text for texts in asked for text in texts if f" of {person}: " in text)

    def verdict(self) -> Verdict:
        """What became of everything so far, what earlier crowds said included."""
        heard = [on_telegram(self._telegram.journal())]
        if self._slack is not None:
            heard.append(on_slack(self._slack.journal()))
        return judge(*heard, special=self._special)

    def settled(self, *, patience_s: float, linger_s: float = 1.0) -> Verdict:
        """The verdict when all is answered and no draft stands, or when nothing has moved for `patience_s`.

        Watched for `linger_s` more, so that what comes twice is seen too.
        """
        before, since = self.verdict(), time.monotonic()
        while (not before.is_answered or before.left_over) and time.monotonic() - since < patience_s:
            time.sleep(0.1)
            now = self.verdict()
            if now != before:
                before, since = now, time.monotonic()
        deadline = time.monotonic() + linger_s
        while time.monotonic() < deadline:
            time.sleep(0.1)
        return self.verdict()
