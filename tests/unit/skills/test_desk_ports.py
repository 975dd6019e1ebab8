"""What a skill may say unasked, as the host's desk takes it: granted, checked, and never in another's name."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from parlour.sdk.errors import Invalid, NotAvailable, NotGranted
from parlour.sdk.replies import File, Reply, Text, to_wire
from parlour.skills.desk import Grants, HostDesk, Services, Whose
from parlour.store.ids import ConversationId, SkillId, UserId, WorkspaceId, new_id

TURN = Whose(SkillId(new_id()), WorkspaceId(new_id()), UserId(new_id()), ConversationId(new_id()))
JOB = Whose(TURN.skill_id, TURN.workspace_id, None)
NEWS = [to_wire(Text("News.")), to_wire(File("a.csv", b"a"))]


@dataclass
class FakePorts:
    """Remembers what was asked of it, and for whom."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def subscribe(self, whose: Whose, topic: str) -> None:
        self.calls.append((whose, "subscribe", topic))

    def unsubscribe(self, whose: Whose, topic: str) -> None:
        self.calls.append((whose, "unsubscribe", topic))

    def tell(self, whose: Whose, topic: str, replies: Sequence[Reply], *, once: str) -> int:
        self.calls.append((whose, topic, list(replies), once))
        return 3

    def request(self, whose: Whose, summary: str) -> int:
        self.calls.append((whose, summary))
        return 2


@pytest.fixture
def ports() -> FakePorts:
    return FakePorts()


def desk(ports: FakePorts, whose: Whose = TURN, *, granted: Sequence[str] = ("Notify", "Handoff")) -> HostDesk:
    return HostDesk(whose, Grants(frozenset(granted)), Services(notify=ports, handoff=ports))


def test_a_turns_conversation_subscribes_and_ends_it(ports: FakePorts) -> None:
    for method in ("subscribe", "unsubscribe"):
        assert desk(ports).call("Notify", method, {"topic": "alerts"}) is None

    assert ports.calls == [(TURN, "subscribe", "alerts"), (TURN, "unsubscribe", "alerts")]


def test_a_job_tells_all_and_hears_how_many(ports: FakePorts) -> None:
    told = desk(ports, JOB).call("Notify", "subscribers", {"topic": "alerts", "replies": NEWS, "once": "1"})

    assert told == 3
    assert ports.calls == [(JOB, "alerts", [Text("News."), File("a.csv", b"a")], "1")]


def test_a_job_has_no_conversation_to_subscribe(ports: FakePorts) -> None:
    with pytest.raises(NotAvailable):
        desk(ports, JOB).call("Notify", "subscribe", {"topic": "alerts"})


@pytest.mark.parametrize(
    "arguments",
    [
        {"topic": "", "replies": NEWS, "once": ""},
        {"topic": "x" * 201, "replies": NEWS, "once": ""},
        {"topic": "alerts", "replies": NEWS, "once": "x" * 201},
        {"topic": "alerts", "replies": [], "once": ""},
        {"topic": "alerts", "replies": "News.", "once": ""},
        {"topic": "alerts", "replies": [{"is": "virus"}], "once": ""},
        {"topic": "alerts", "replies": [{"is": "text", "markdown": 7}], "once": ""},
        {"topic": 7, "replies": NEWS, "once": ""},
        {"topic": "alerts", "replies": NEWS, "once": "", "conversation": "another's"},
        {"topic": "alerts"},
    ],
)
def test_what_is_no_news_is_refused(ports: FakePorts, arguments: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        desk(ports).call("Notify", "subscribers", arguments)

    assert ports.calls == []


def test_a_turn_asks_for_a_human(ports: FakePorts) -> None:
    assert desk(ports).call("Handoff", "request", {"summary": "Wants a refund."}) == 2
    assert ports.calls == [(TURN, "Wants a refund.")]


@pytest.mark.parametrize(("capability", "method"), [("Notify", "subscribe"), ("Handoff", "request")])
def test_what_was_not_granted_is_refused(ports: FakePorts, capability: str, method: str) -> None:
    with pytest.raises(NotGranted):
        desk(ports, granted=()).call(capability, method, {"topic": "alerts"})


@dataclass
class FakeWeb:
    """Remembers the hosts that a request was allowed to go to."""

    allowed: list[Sequence[str]] = field(default_factory=list)

    def get(self, hosts: Sequence[str], url: str, headers: dict[str, str]) -> dict[str, Any]:
        self.allowed.append(hosts)
        return {"status": 200, "body": b"", "headers": {}}


def test_a_host_that_the_operator_set_is_reached_beside_those_of_the_manifest() -> None:
    web, granted = FakeWeb(), Grants(frozenset({"Http"}), hosts=("a.example.org",))
    services = Services(http=web)  # type: ignore[arg-type]

    at = HostDesk(TURN, granted.reaching(["b.example.org"]), services)
    at.call("Http", "get", {"url": "https://b.example.org/", "headers": {}})

    assert web.allowed == [("a.example.org", "b.example.org")]
    assert granted.hosts == ("a.example.org",)
