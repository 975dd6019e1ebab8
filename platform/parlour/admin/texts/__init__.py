"""What the admin pages say, in the languages they speak: one module for each group of pages."""

from typing import Final

from parlour.admin.texts import frame, people, records, running, signin, skills, words

FALLBACK: Final = "en"
# A new group of pages is added here. Keys begin with their group's name, so that none is there twice.
GROUPS: Final = (frame.TEXTS, signin.TEXTS, people.TEXTS, running.TEXTS, records.TEXTS, skills.TEXTS, words.TEXTS)

TEXTS: Final[dict[str, dict[str, str]]] = {
    language: {key: text for group in GROUPS for key, text in group[language].items()} for language in ("en", "zh")
}
