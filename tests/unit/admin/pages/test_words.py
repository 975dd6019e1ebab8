"""The words that tables hold, on the pages: never as they are stored, in the language of whoever reads."""

import re
from collections.abc import Iterable
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import update

from parlour.admin.app import build_app
from parlour.admin.health import DOWN, OK, SLOW, Health
from parlour.admin.pages.skill import CHANNELS
from parlour.admin.rights import Right
from parlour.admin.site import add_pages
from parlour.admin.texts import TEXTS
from parlour.people.states import ConsentState, Role, UserState
from parlour.privacy.classes import KEPT, DataClass
from parlour.store.models import Account, Conversation, Delivery, Turn, User
from parlour.turns.states import Author, DeliveryState, TurnState
from parlour.turns.stuck import SIGNS, Kind
from tests.unit.admin.pages.conftest import Browser, Site

# As the owner who looks signs in.
LOGIN = "owner of None"
PARTS = ("database", "keys", "broker", "channels", "engine")
STORED: dict[str, Iterable[str]] = {
    "author": Author,
    "channel": CHANNELS,
    "class": DataClass,
    "consent": ConsentState,
    "delivery": DeliveryState,
    "part": PARTS,
    "partword": (OK, DOWN, SLOW),
    "remedy": {one.remedy for one in SIGNS},
    "right": Right,
    "role": Role,
    "sign": {one.reason for one in SIGNS},
    "stuck": Kind,
    "table": {one.table.__tablename__ for one in KEPT},
    "turnstate": TurnState,
    "userstate": UserState,
}


@pytest.mark.parametrize("kind", STORED)
def test_every_word_that_is_stored_has_a_text_in_both_languages(kind: str) -> None:
    for language in ("en", "zh"):
        assert [one for one in STORED[kind] if f"{kind}_{one}" not in TEXTS[language]] == []


def _visible(html: str) -> str:
    """What a reader sees of a page as words: without ids, codes and commands, and what says that it is English."""
    main = html.partition("<main")[2].partition("</main>")[0]
    without = re.sub(r'<(code|pre)\b.*?</\1>|<p[^>]* lang="en">.*?</p>', " ", main, flags=re.DOTALL)
    return re.sub(rf"<[^>]*>|parlour( [a-zA-Z-]+)+|{LOGIN}", " ", without)


def _found(browser: Browser, path: str) -> str:
    answer = browser.get(f"/admin{path}")
    assert answer.status_code == 200, path
    return str(answer.text)


def test_no_chinese_page_shows_a_word_as_it_is_stored(site: Site) -> None:
    """One person, turn and delivery in every state, a stuck turn, a token with every right, parts that are away."""
    stage, now = site.stage, site.stage.platform.clock.now()
    people = [site.person(f"{number}") for number in range(len(TurnState))]
    with stage.platform.database.begin() as session:
        for number, turn in enumerate(session.query(Turn).order_by(Turn.id)):
            turn.state = list(TurnState)[number]
            if turn.state in {"queued", "running"}:
                turn.received_at = turn.due_at = turn.started_at = now - timedelta(hours=2)
        for number, delivery in enumerate(session.query(Delivery).order_by(Delivery.id)):
            delivery.state = list(DeliveryState)[number % len(DeliveryState)]
            delivery.due_at = delivery.created_at = now - timedelta(hours=1)
        for number, user_id in enumerate(people):
            values = {"state": list(UserState)[number % 5], "role": list(Role)[number % 5], "language": "zh"}
            values["consent"] = list(ConsentState)[number % 3]
            session.execute(update(User).where(User.id == user_id).values(**values))
        conversations = session.query(Conversation.id).all()
        session.execute(update(Account).values(channel="web", name="Web chat"))
    app = build_app([], Health(dict.fromkeys(PARTS, lambda: DOWN)), registry=CollectorRegistry())
    add_pages(app, stage.platform)
    site.app = app
    browser = site.signed_in()
    browser.send("/admin/tokens", name="报表", role="owner", days="9")
    browser.get("/admin/language?to=zh")
    paths = ["", "/people", "/pairing", "/conversations", "/feedback", "/retention", "/retention/run", "/holds"]
    paths += ["/receipts", "/keys", "/audit", "/messengers", "/stuck", "/skills", "/jobs", "/operators", "/tokens"]
    paths += ["/account", "/retention/rule?data_class=message", "/retention/due?data_class=skill-document"]
    paths += [f"/people/{one}" for one in people] + [f"/turns/{one.id}" for one in stage.turns()]
    paths += [f"/conversations/{one.id}" for one in conversations]

    words = sorted({word for found in STORED.values() for word in found} | {"workspace", "Id", "Terminal"})
    stored = re.compile(rf"(?<![\w./-])(?:{'|'.join(re.escape(one) for one in words)}|Web chat)(?![\w./:-])")
    shown = {path: _visible(_found(browser, path)) for path in paths}
    assert {path: found for path, text in shown.items() if (found := stored.findall(text))} == {}
    # All of them were there to be seen.
    together = " ".join(shown.values())
    for kind in ("class", "consent", "delivery", "part", "right", "role", "turnstate", "userstate"):
        assert [one for one in STORED[kind] if TEXTS["zh"][f"{kind}_{one}"] not in together] == [], kind
