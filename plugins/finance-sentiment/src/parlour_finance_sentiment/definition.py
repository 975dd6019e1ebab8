"""The skill: its name, what it may reach and keep, what an operator can set. Handlers stand in other modules."""

from typing import Annotated, Final, Literal

from parlour.sdk import Folder, Host, Skill
from parlour_finance_sentiment.quiet import BadQuietHours, Quiet, read_quiet
from parlour_finance_sentiment.shelf import Shelf
from parlour_finance_sentiment.subjects import Subjects, read_companies, shipped_companies, shipped_topics

skill = Skill(
    "finance-sentiment",
    "Reads financial news, tells their sentiment and warns when bad news surges",
    zh="阅读财经新闻，判断情绪，负面新闻激增时提醒",
    hosts=["feeds.finance.yahoo.com", "feeds.content.dowjones.io", "www.ecb.europa.eu", "www.federalreserve.gov"],
    keeps={
        "news": "the news it read: title, time, source, link and what was found about them",
        "day": "how much news there is of each day",
        "tally": "how many items there were on each company and topic",
        "watch": "which companies and topics are watched",
        "surges": "surges of bad news that were found",
        "state": "since when it reads, and how each source did",
        "companies": "companies that an operator added",
        "labels": "sentences that were labelled to learn from",
        "weights": "what was learnt from them",
        "told": "that a person was told that this is no investment advice",
    },
)

_LEAST_KEEP_DAYS: Final = 35
_MOST_KEEP_DAYS: Final = 110


@skill.settings
class Settings:
    """What an operator can set: parlour skill configure finance-sentiment sources='["https://…"]'."""

    sources: Annotated[
        list[str],
        "Feeds: https://… for RSS and Atom, json https://… items=data.news title=headline for JSON",
    ] = ()  # type: ignore[assignment]
    hosts: Annotated[
        list[Host], "Servers of those feeds that the skill does not name itself: setting one lets it be reached"
    ] = ()  # type: ignore[assignment]
    folder: Annotated[Folder, "A folder of news files: its name in PARLOUR_SKILLS__FOLDERS; empty for none"] = Folder(
        ""
    )
    companies: Annotated[list[str], "More companies, each as: NVDA | Nvidia | 英伟达"] = ()  # type: ignore[assignment]
    alarms_a_year: Annotated[float, "How many false alarms a year are bearable, for each company or topic watched"] = (
        4.0
    )
    quiet_hours: Annotated[str, "When nothing is told, as 22:00-07:00; empty for never"] = ""
    timezone: Annotated[str, "Whose hours those are"] = "UTC"
    language: Annotated[Literal["en", "zh"], "The language of alerts"] = "en"
    keep_days: Annotated[int, "How many days news is kept, from 35 to 110"] = 90
    ask_model: Annotated[bool, "Let the language model judge again what the classifier is unsure of"] = False


async def subjects_of(shelf: Shelf, settings: Settings) -> Subjects:
    """Companies and topics as this workspace knows them: those that come along, and the operator's."""
    added, _ = read_companies([*settings.companies, *await shelf.companies()])
    return Subjects([*shipped_companies(), *added], shipped_topics())


def quiet_of(settings: Settings) -> Quiet | None:
    """When nothing is told. Hours that cannot be read are none: an alert too many is better than one too few."""
    try:
        return read_quiet(settings.quiet_hours, settings.timezone)
    except BadQuietHours:
        return None


def problems_of(settings: Settings) -> list[str]:
    """What is wrong with the settings, a sentence each, for people who can set them."""
    _, problems = read_companies(settings.companies)
    try:
        read_quiet(settings.quiet_hours, settings.timezone)
    except BadQuietHours as error:
        problems.append(str(error))
    return problems


def days_kept(settings: Settings) -> int:
    """How long news is kept: no shorter than what the test of surges looks back, no longer than there is room."""
    return min(max(_LEAST_KEEP_DAYS, settings.keep_days), _MOST_KEEP_DAYS)
