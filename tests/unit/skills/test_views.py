"""What an installed skill may do, as its calls are checked."""

from dataclasses import field
from datetime import UTC, datetime

from parlour.sdk import Host, Http, Skill
from parlour.sdk.manifest import manifest_of
from parlour.skills.views import SkillView
from parlour.store.ids import SkillId, new_id


def test_hosts_that_an_operator_set_are_allowed_beside_those_that_were_granted() -> None:
    skill = Skill("reader", "Reads", hosts=["a.example.org"])

    @skill.settings
    class Settings:
        servers: list[Host] = field(default_factory=list)

    @skill.command("read", "Read")
    async def read(http: Http, settings: Settings) -> str:
        return (await http.get(settings.servers[0])).text

    manifest = manifest_of(skill, version="1", entry_point="reader:skill")
    view = SkillView(
        id=SkillId(new_id()),
        name="reader",
        version="1",
        state="enabled",
        manifest=manifest,
        folder="",
        grants=frozenset({"Http"}),
        hosts=("a.example.org",),
        installed_at=datetime(2026, 1, 5, tzinfo=UTC),
    )

    assert view.allowed_with({"servers": ["b.example.org"]}).hosts == ("a.example.org", "b.example.org")
    assert view.allowed_with({"servers": []}).hosts == ("a.example.org",)
