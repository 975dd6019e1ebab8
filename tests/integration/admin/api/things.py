"""One of each thing that has an id in the API's paths."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID, uuid4

from parlour.sdk.manifest import Entry, Manifest, to_json
from parlour.store.ids import new_id
from parlour.store.models import Turn
from parlour.store.skill_models import SkillRow
from tests.integration.admin.api.conftest import Api

SETTINGS = {
    "type": "object",
    "properties": {"tone": {"type": "string", "default": "plain"}, "key": {"type": "string", "writeOnly": True}},
    "required": ["key"],
    "additionalProperties": False,
}


@dataclass
class Things:
    """Named as the paths' parameters are. None of them but in its own workspace."""

    user_id: UUID
    turn_id: UUID
    conversation_id: UUID
    hold_id: UUID
    receipt_id: UUID
    token_id: UUID
    name: str

    @classmethod
    def nobodys(cls) -> Self:
        """Ids of nothing."""
        ids = {name: uuid4() for name in cls.__annotations__ if name != "name"}
        return cls(**ids, name="never-installed")


def things_of(api: Api) -> Things:
    """The workspace's own, made now."""
    gone = api.person("zed")
    receipt_id = api.post(f"/v1/people/{gone}/erase").json()["receipt_id"]
    held = api.person("bob")
    hold_id = api.post("/v1/holds", {"reason": "Case 17", "user_id": str(held)}).json()["id"]
    taken = api.stage.answered("Hello.", sender="ann")
    with api.stage.platform.database.read() as session:
        turn = session.get_one(Turn, taken.turn_id)
    return Things(
        user_id=turn.user_id,
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        hold_id=UUID(hold_id),
        receipt_id=UUID(receipt_id),
        token_id=UUID(api.get("/v1/tokens").json()["items"][0]["id"]),
        name=skill_of(api, f"skill-{str(api.workspace_id)[-6:]}"),
    )


def skill_of(api: Api, name: str) -> str:
    """A skill as it stands in the database, without its files: what needs no process of it works."""
    event = Entry(id="event:bought", kind="event", name="bought", arguments={"type": "object", "properties": {}})
    manifest = Manifest(name, "1.0", "A skill on paper", "tried:skill", settings=SETTINGS, handlers=(event,))
    now = api.stage.clock.now()
    row = SkillRow(
        id=new_id(),
        workspace_id=api.workspace_id,
        name=name,
        version="1.0",
        state="enabled",
        manifest=to_json(manifest),
        lock="",
        folder=f"{name}-none",
        installed_at=now,
        updated_at=now,
    )
    with api.stage.platform.database.begin() as session:
        session.add(row)
    return name
