"""Profile, linking and quotas on both databases."""

from typing import Any

import pytest

from parlour.people import consent
from parlour.people.admit import Access, Person, admit
from parlour.people.errors import LinkRefused, ProfileFull
from parlour.people.facts import EntryKind, Fact, Slot, Source
from parlour.people.linking import find_offer, ids_of, link, offer_link
from parlour.people.profile import MOST_ENTRIES, Profiles, Remembered
from parlour.people.quotas import QuotaRules, Quotas, used_by_person, used_today
from parlour.people.users import make_link_code, show_user
from parlour.store.ids import UserId, WorkspaceId
from parlour.turns.ports import Sender
from tests.support.leaks import find_bytes
from tests.support.storage import Storage


def _write(storage: Storage, name: str, *, channel: str = "telegram", workspace: str = "default") -> Person:
    workspace_id = storage.workspace(workspace)
    with storage.database.begin() as session:
        person = admit(
            session,
            storage.privacy,
            Access("open"),
            workspace_id=workspace_id,
            channel=channel,
            sender=Sender(name, name.title()),
            now=storage.clock.now(),
        )
    assert person
    return person


def _profiles(storage: Storage) -> Profiles:
    return Profiles(storage.privacy, retention=storage.retention, clock=storage.clock)


def _remember(storage: Storage, person: Person, text: str, *, slot: Slot | None = None) -> Remembered:
    kind = EntryKind.PREFERENCE if slot else EntryKind.MEMORY
    with storage.database.begin() as session:
        return _profiles(storage).remember(
            session, person.user_id, Fact(kind, text, slot), source=Source.TOLD, now=storage.clock.now()
        )


def _texts(storage: Storage, user_id: UserId) -> list[str]:
    with storage.database.read() as session:
        return [one.fact.text for one in _profiles(storage).entries(session, user_id)]


def test_an_entry_is_kept_once_and_sealed(storage: Storage) -> None:
    ann = _write(storage, "ann")

    outcomes = [
        _remember(storage, ann, text) for text in ("plays marker-cello-77", "Plays marker cello 77!", "likes tea")
    ]

    assert outcomes == [Remembered.NEW, Remembered.CORRECTED, Remembered.NEW]
    assert _texts(storage, ann.user_id) == ["Plays marker cello 77!", "likes tea"]
    assert not find_bytes(["marker-cello-77", "marker cello 77"], storage.database.url)


def test_a_full_profile_of_told_things_takes_no_more(storage: Storage) -> None:
    ann = _write(storage, "ann")
    profiles = _profiles(storage)
    with storage.database.begin() as session:
        for number in range(MOST_ENTRIES):
            fact = Fact(EntryKind.MEMORY, f"thing {number}")
            source = Source.LEARNED if number == 3 else Source.TOLD
            profiles.remember(session, ann.user_id, fact, source=source, now=storage.clock.now())

    _remember(storage, ann, "one more")
    with pytest.raises(ProfileFull):
        _remember(storage, ann, "and another")

    assert "thing 3" not in _texts(storage, ann.user_id)


def test_two_messengers_become_one_person(storage: Storage) -> None:
    ann, other = _write(storage, "ann"), _write(storage, "u012", channel="slack")
    profiles = _profiles(storage)
    for person, name in ((ann, "Ann"), (other, "Annie")):
        with storage.database.begin() as session:
            consent.ask(session, person.user_id, language="en", now=storage.clock.now())
            consent.decide(session, person.user_id, is_given=True, language="en", now=storage.clock.now())
        storage.clock.advance(60)
        _remember(storage, person, name, slot=Slot.NAME)
    code = make_link_code(storage.database, storage.privacy, ann.user_id, now=storage.clock.now()).code

    with storage.database.begin() as session:
        stays = link(
            session, storage.privacy, profiles, code, by=other.user_id, workspace_id=ann.workspace_id,
            now=storage.clock.now(),
        )  # fmt: skip

    view = show_user(storage.database, storage.privacy, "slack:u012")
    assert stays == view.user_id == ann.user_id
    assert [(one.channel, one.name) for one in view.identities] == [("telegram", "Ann"), ("slack", "U012")]
    assert _texts(storage, ann.user_id) == ["Annie"]
    assert _write(storage, "u012", channel="slack").user_id == ann.user_id
    with storage.database.read() as session:
        assert ids_of(session, ann.user_id) == [ann.user_id, other.user_id]


def test_a_code_of_another_workspace_links_nobody(storage: Storage) -> None:
    ann, ben = _write(storage, "ann"), _write(storage, "ben", workspace="other")

    with storage.database.begin() as session:
        code = offer_link(session, storage.privacy, ann.user_id, now=storage.clock.now()).code
        with pytest.raises(LinkRefused) as caught:
            find_offer(
                session, storage.privacy, code, by=ben.user_id, workspace_id=ben.workspace_id, now=storage.clock.now()
            )

    assert code not in str(caught.value)


# ---- quotas ----


def _take(storage: Storage, quotas: Quotas, person: Person, *, tokens: int = 0) -> str | None:
    with storage.database.begin() as session:
        exceeded = quotas.take(
            session, user_id=person.user_id, workspace_id=person.workspace_id, now=storage.clock.now()
        )
        if exceeded is None:
            quotas.spend(
                session,
                user_id=person.user_id,
                workspace_id=person.workspace_id,
                tokens=tokens,
                now=storage.clock.now(),
            )
    return None if exceeded is None else f"{exceeded.scope} {exceeded.unit}"


def test_a_persons_turns_and_tokens_are_counted(storage: Storage) -> None:
    ann = _write(storage, "ann")
    quotas = Quotas(QuotaRules(user_turns=3, user_tokens=50), retention=storage.retention)

    assert [_take(storage, quotas, ann, tokens=20) for _ in range(4)] == [None, None, None, "user turns"]
    with storage.database.read() as session:
        assert used_by_person(session, ann.user_id, storage.clock.now()).turns == 3


def test_what_is_used_of_each_quota_today_is_told(storage: Storage) -> None:
    ann, bob = _write(storage, "ann"), _write(storage, "bob")
    rules = QuotaRules(user_turns=5, workspace_turns=9, workspace_tokens=700, total_turns=99)
    quotas = Quotas(rules, retention=storage.retention)
    for person in (ann, ann, bob):
        _take(storage, quotas, person, tokens=20)

    who: Any = {"user_id": ann.user_id, "workspace_id": ann.workspace_id, "now": storage.clock.now()}
    with storage.database.read() as session:
        told = [(one.scope, one.unit, one.used, one.limit) for one in used_today(session, rules, **who)]
        untold = used_today(session, QuotaRules(), **who)

    assert told == [("user", "turns", 2, 5), ("workspace", "turns", 3, 9), ("workspace", "tokens", 60, 700)]
    assert untold == ()


def test_one_workspaces_use_is_none_of_anothers(storage: Storage) -> None:
    ann, ben = _write(storage, "ann"), _write(storage, "ben", workspace="other")
    quotas = Quotas(QuotaRules(workspace_turns=2), retention=storage.retention)

    assert [_take(storage, quotas, ann) for _ in range(3)] == [None, None, "workspace turns"]
    assert _take(storage, quotas, ben) is None


def test_what_many_processes_used_is_seen(storage: Storage) -> None:
    ann, bob = _write(storage, "ann"), _write(storage, "bob")
    rules = QuotaRules(workspace_turns=2)
    for person in (ann, bob):
        assert _take(storage, Quotas(rules, retention=storage.retention), person) is None

    assert _take(storage, Quotas(rules, retention=storage.retention), ann) == "workspace turns"


def test_a_workspace_below_its_share_is_served_when_the_total_is_used_up(storage: Storage) -> None:
    ann, ben = _write(storage, "ann"), _write(storage, "ben", workspace="other")
    quotas = Quotas(QuotaRules(total_turns=4), retention=storage.retention, monotonic=storage.clock.elapsed)
    assert _take(storage, quotas, ben) is None
    greedy = [_take(storage, quotas, ann) for _ in range(5)]

    assert greedy == [None, None, None, "total turns", "total turns"]
    assert _take(storage, quotas, ben) is None
    assert _take(storage, quotas, ben) == "total turns"
    assert WorkspaceId(ben.workspace_id) != ann.workspace_id
