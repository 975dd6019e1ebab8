"""What the skill does by itself: polling, forgetting, and asking the model again."""

from datetime import timedelta
from typing import Final

from parlour.sdk import Clock, Files, Http, Model, Notify, SharedStore
from parlour_finance_sentiment.alerts import look
from parlour_finance_sentiment.definition import Settings, days_kept, quiet_of, skill, subjects_of
from parlour_finance_sentiment.folder import read_folder
from parlour_finance_sentiment.judging import Judge, second_opinions
from parlour_finance_sentiment.readers import readers_of
from parlour_finance_sentiment.shelf import Shelf
from parlour_finance_sentiment.teaching import retrain
from parlour_finance_sentiment.watching import read_sources, take_in

_UNSURE: Final = 0.6
_MOST_UNSURE: Final = 200


@skill.every("30m")
async def poll(http: Http, files: Files, shared: SharedStore, notify: Notify, clock: Clock, settings: Settings) -> None:
    """Read the sources and the folder, judge what is new, and tell of surges."""
    shelf, now = Shelf(shared), clock.now()
    await shelf.began(now)
    if await shelf.was_learning_asked():
        await retrain(shelf, settings.language)
    subjects = await subjects_of(shelf, settings)
    items = await read_sources(shelf, http, settings.sources, now)
    if settings.folder:
        items += await read_folder(shelf, files, settings.folder, now)
    if items:
        await take_in(shelf, Judge(await readers_of(shelf), subjects), items, now)
    await look(
        shelf,
        notify,
        subjects,
        now,
        alarms_a_year=settings.alarms_a_year,
        quiet=quiet_of(settings),
        language=settings.language,
    )


@skill.every("1d")
async def tidy(shared: SharedStore, clock: Clock, settings: Settings) -> None:
    """Forget news that is older than the operator wants."""
    oldest = clock.now() - timedelta(days=days_kept(settings))
    await Shelf(shared).forget_before(oldest.date())


@skill.every("2h")
async def reconsider(model: Model, shared: SharedStore, clock: Clock, settings: Settings) -> None:
    """Ask the model, in bulk and behind people's turns, about what the classifier was unsure of."""
    if not settings.ask_model:
        return
    shelf, now = Shelf(shared), clock.now()
    found = await shelf.since(now - timedelta(days=1), now)
    unsure = [one for one in found if one.by == "classifier" and one.sureness < _UNSURE][:_MOST_UNSURE]
    await shelf.replace(await second_opinions(unsure, model))
