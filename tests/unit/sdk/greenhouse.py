"""A skill that uses a bit of everything, written as its author would."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from parlour.sdk import (
    Button,
    Buttons,
    Chart,
    Clock,
    Http,
    Knowledge,
    Model,
    Notify,
    Reply,
    Secret,
    Secrets,
    Series,
    SharedStore,
    Skill,
    Turn,
    UserStore,
)

skill = Skill(
    "greenhouse",
    "Questions about plants and how to care for them",
    zh="植物养护",
    hosts=["api.weather.example", "*.seeds.example"],
    keeps={"plant": "the plants you told about", "state": "when the weather was last read"},
)


@skill.settings
class Settings:
    litres: Annotated[int, "Water in the can"] = 5
    api_key: Secret = Secret("")


@skill.answers("How often do I water basil?", "我的榕树掉叶子了")
async def care(turn: Turn, model: Model, knowledge: Knowledge) -> AsyncIterator[str]:
    passages = await knowledge.search(turn.text)
    async for piece in model.stream(turn, grounded_in=passages):
        yield piece


@skill.command("plants", "List the plants you told me about", zh="列出植物")
async def plants(turn: Turn, mine: UserStore) -> str:
    return "\n".join(plant["name"] for plant in await mine.all("plant")) or "None yet."


@skill.command("plant", "Remember a plant")
async def plant(turn: Turn, mine: UserStore) -> Buttons:
    await mine.put("plant", {"name": turn.text})
    return Buttons("Noted.", (Button("All", "/plants"),))


@skill.command("growth", "How it grows")
async def growth() -> list[Reply | str]:
    return ["Look:", Chart("Growth", ("Mon", "Tue"), (Series("cm", (1.0, 2.5)),))]


@skill.tool
async def water(plant: str, litres: float = 0.5, *, when: Literal["now", "later"], settings: Settings) -> str:
    """Water a plant."""
    return f"{plant} gets {min(litres, settings.litres)} l {when}"


@skill.every("1h")
async def weather(http: Http, secrets: Secrets, shared: SharedStore, clock: Clock, notify: Notify) -> None:
    response = await http.get(f"https://api.weather.example/?key={await secrets.get('api_key')}")
    await shared.put("state", {"said": response.text, "at": clock.now().isoformat()}, id="last")
    await notify.subscribers("weather", response.text)
