"""What owners do with operators and tokens, and what becomes of them with the person behind them."""

import re
from collections.abc import Callable
from typing import Any

import pyotp
import pytest
from sqlalchemy import func, select

from parlour.admin.api.tokens import Maker, create_token, holder_of
from parlour.admin.rights import Right
from parlour.admin.signin.errors import LastOwnerLogin
from parlour.admin.signin.logins import LoginView
from parlour.admin.signin.operators import Operators
from parlour.people import users
from parlour.people.errors import LastOwner
from parlour.people.states import Role
from parlour.privacy import audit
from parlour.privacy.erasure import LastOwnerStays
from parlour.privacy.receipts import verify_receipt
from parlour.store.ids import UserId
from parlour.store.operator_models import Login, LoginLink, LoginSession
from tests.unit.admin.pages.conftest import PASSWORD, Browser, Site


def _login(site: Site, role: Role) -> LoginView:
    return next(one for one in site.logins.list(site.workspace_id) if one.name.startswith(role))


def _operators(site: Site) -> Operators:
    parts = site.stage.platform
    return Operators(parts.database, parts.privacy, site.workspace_id, "command:test")


def _deeds(site: Site) -> list[tuple[str, str]]:
    """Who did what to the admin's login, oldest first."""
    parts, subject = site.stage.platform, f"login:{_login(site, Role.ADMIN).id}"
    found = audit.tail(parts.database, parts.privacy)
    return [(one.actor, one.action) for one in reversed(found) if one.subject == subject]


def _made(browser: Browser, **fields: str) -> str:
    shown = browser.send("/admin/tokens", **{"name": "dashboard", "role": "auditor", "days": "30", **fields})
    found = re.search(r"parlour_[\w-]{43}", shown.text)
    assert found is not None, shown.text
    return found.group()


def _rights(site: Site, token: str) -> set[Right] | None:
    parts = site.stage.platform
    holder = holder_of(parts.database, parts.privacy, token)
    return None if holder is None else set(holder.rights)


def test_an_owner_changes_a_role_from_the_next_request_on(site: Site) -> None:
    owner, admin = site.signed_in(), site.signed_in(Role.ADMIN)
    path = f"/admin/operators/{_login(site, Role.ADMIN).id}"

    changed = owner.send(f"{path}/role", role="auditor")

    assert changed.headers["location"] == "/admin/operators?done=operator"
    assert admin.get("/admin/people").status_code == 200
    assert admin.send(f"/admin/people/{site.person('ann')}/block").status_code == 403


def test_the_last_owner_keeps_the_role(site: Site) -> None:
    owner = site.signed_in()

    answer = owner.send(f"/admin/operators/{_login(site, Role.OWNER).id}/role", role="admin")

    assert answer.status_code == 422
    assert "the last owner who can sign in" in answer.text
    assert owner.get("/admin/operators").status_code == 200


def test_an_address_belongs_to_one_operator_and_is_kept_as_a_hash(site: Site) -> None:
    owner = site.signed_in()
    site.signed_in(Role.ADMIN)
    first, second = (_login(site, role).id for role in (Role.OWNER, Role.ADMIN))

    answers = [
        owner.send(f"/admin/operators/{login}/email", email=email).status_code
        for login, email in ((first, "Ann@Example.com"), (second, "ann@example.com"), (second, "no address"))
    ]

    assert answers == [303, 422, 422]
    assert "by the identity provider" in owner.get("/admin/operators").text
    stored = b"".join(path.read_bytes() for path in site.stage.settings.data_dir.rglob("*.sqlite*"))
    assert b"xample.com" not in stored


def _with_codes(site: Site, browser: Browser) -> pyotp.TOTP:
    """Codes of an app are asked for at the sign-in of this browser's operator."""
    totp = pyotp.TOTP(pyotp.random_base32())
    code = totp.at(site.stage.clock.now())
    assert browser.send("/admin/account/codes", secret=totp.secret, password=PASSWORD, code=code).status_code == 303
    site.stage.clock.advance(60)
    return totp


def _link_in(shown: Any) -> str:
    found = re.search(r"/admin/first\?token=([\w-]+)", shown.text)
    assert found is not None, shown.text
    return found.group(1)


def test_an_owner_ends_somebody_elses_sessions(site: Site) -> None:
    owner, admin, again = site.signed_in(), site.signed_in(Role.ADMIN), site.browser()
    again.sign_in("admin of None")
    path = f"/admin/operators/{_login(site, Role.ADMIN).id}"

    done = owner.send(f"{path}/sessions")

    assert done.headers["location"] == "/admin/operators?done=operator"
    assert [one.get("/admin").status_code for one in (owner, admin, again)] == [200, 303, 303]
    assert site.browser().sign_in("admin of None").status_code == 303
    assert (f"login:{_login(site, Role.OWNER).id}", "login.sign-out") in _deeds(site)


def test_and_has_their_password_open_nothing_until_a_link_sets_another(site: Site) -> None:
    owner, admin = site.signed_in(), site.signed_in(Role.ADMIN)
    path = f"/admin/operators/{_login(site, Role.ADMIN).id}"

    owner.send(f"{path}/sessions", shut="yes")

    assert admin.get("/admin").status_code == 303
    assert site.browser().sign_in("admin of None").status_code == 401
    links = [_link_in(owner.send(f"{path}/link")) for _ in range(2)]
    new = {"password": "another long enough phrase", "again": "another long enough phrase"}
    assert [admin.post("/admin/first", token=link, **new).status_code for link in links] == [410, 303]
    assert admin.get("/admin").status_code == 200
    owners = [action for actor, action in _deeds(site) if actor == f"login:{_login(site, Role.OWNER).id}"]
    assert owners == ["login.password-off", "login.sign-out", "login.link", "login.link"]


def test_an_owner_takes_the_codes_of_a_lost_phone_away(site: Site) -> None:
    owner, admin = site.signed_in(), site.signed_in(Role.ADMIN)
    _with_codes(site, admin)
    assert site.browser().sign_in("admin of None").status_code == 401

    owner.send(f"/admin/operators/{_login(site, Role.ADMIN).id}/codes")

    assert site.browser().sign_in("admin of None").status_code == 303
    assert (f"login:{_login(site, Role.OWNER).id}", "login.totp-off") in _deeds(site)


def test_a_link_is_no_way_around_codes(site: Site) -> None:
    owner, admin = site.signed_in(), site.signed_in(Role.ADMIN)
    totp = _with_codes(site, admin)
    link = _link_in(owner.send(f"/admin/operators/{_login(site, Role.ADMIN).id}/link"))
    browser, new = site.browser(), "another long enough phrase"

    used = browser.post("/admin/first", token=link, password=new, again=new)

    assert used.headers["location"] == "/admin/signin?done=password"
    assert browser.get("/admin").status_code == 303
    assert browser.sign_in("admin of None", new).status_code == 401
    assert browser.sign_in("admin of None", new, totp.at(site.stage.clock.now())).status_code == 303


@pytest.mark.parametrize("change", ["sessions", "codes", "link"])
def test_ones_own_login_is_changed_with_the_password_alone(site: Site, change: str) -> None:
    owner = site.signed_in()

    answer = owner.send(f"/admin/operators/{_login(site, Role.OWNER).id}/{change}", shut="yes")

    assert answer.status_code == 422
    assert "under My account" in answer.text
    assert owner.get("/admin").status_code == 200


def test_the_last_owner_keeps_the_password(site: Site) -> None:
    site.signed_in()

    with pytest.raises(LastOwnerLogin):
        _operators(site).end_sessions(_login(site, Role.OWNER).id, takes_password=True)

    assert site.browser().sign_in("owner of None").status_code == 303


@pytest.mark.parametrize("who", ["telegram:nobody", "01a205dc-284c-76f5-b6ea-c4fcc0328c41", "x"])
def test_a_person_who_is_nobody_cannot_be_behind_a_login(site: Site, who: str) -> None:
    owner = site.signed_in()

    answer = owner.send(f"/admin/operators/{_login(site, Role.OWNER).id}/person", person=who)

    assert answer.status_code == 422
    assert _login(site, Role.OWNER).user_id is None


def test_blocking_the_person_shuts_the_login_and_unblocking_opens_it(site: Site) -> None:
    owner, admin, ann = site.signed_in(), site.signed_in(Role.ADMIN), site.person("ann")
    owner.send(f"/admin/operators/{_login(site, Role.ADMIN).id}/person", person="telegram:ann")

    owner.send(f"/admin/people/{ann}/block")

    assert admin.get("/admin").status_code == 303
    assert site.browser().sign_in("admin of None").status_code == 401
    owner.send(f"/admin/people/{ann}/unblock")
    assert admin.get("/admin").status_code == 200


def test_erasing_the_person_removes_the_login_with_all_that_belongs_to_it(site: Site) -> None:
    owner, admin, ann = site.signed_in(), site.signed_in(Role.ADMIN), site.person("ann")
    login = _login(site, Role.ADMIN)
    _operators(site).set_email(login.id, "ann@example.com")
    _operators(site).set_person(login.id, ann)
    site.logins.invite(site.workspace_id, "waits", Role.ADMIN, opens_content=False, actor="command:test")

    erased = owner.send(f"/admin/people/{ann}/erase", word=str(ann)[-6:])

    assert erased.status_code == 200
    assert admin.get("/admin").status_code == 303
    assert site.browser().sign_in("admin of None").status_code == 401
    with site.stage.platform.database.read() as session:
        assert session.scalar(select(func.count()).where(Login.id == login.id)) == 0
        assert session.scalar(select(func.count()).where(LoginSession.login_id == login.id)) == 0
        assert session.scalar(select(func.count()).select_from(LoginLink)) == 1
    # Somebody else may have the address now.
    _operators(site).set_email(_login(site, Role.OWNER).id, "ann@example.com")


def test_the_person_of_the_last_owner_is_neither_erased_nor_blocked(site: Site) -> None:
    owner, ann = site.signed_in(), site.person("ann")
    _operators(site).set_person(_login(site, Role.OWNER).id, ann)
    parts = site.stage.platform

    with pytest.raises(LastOwnerStays, match="the last owner who can sign in"):
        parts.eraser.erase(ann, actor="command:test")
    with pytest.raises(LastOwner, match="the last owner who can sign in"):
        users.block(parts.database, ann)
    told = owner.send(f"/admin/people/{ann}/erase", word=str(ann)[-6:])

    assert told.status_code == 409
    assert owner.get("/admin").status_code == 200


def test_another_owner_frees_the_first_one(site: Site) -> None:
    site.signed_in()
    ann = site.person("ann")
    _operators(site).set_person(_login(site, Role.OWNER).id, ann)
    site.signed_in(Role.ADMIN)
    _operators(site).set_role(_login(site, Role.ADMIN).id, Role.OWNER, opens_content=False)

    site.stage.platform.eraser.erase(ann, actor="command:test")

    assert [one.name for one in site.logins.list(site.workspace_id)] == ["admin of None"]


# ---- tokens -----------------------------------------------------------------------------------------------------


def test_a_token_is_made_shown_once_and_revoked_in_the_pages(site: Site) -> None:
    owner = site.signed_in()

    token = _made(owner, **{"right:see people": "yes"})

    assert _rights(site, token) == {Right.SEE_PEOPLE}
    listed = owner.get("/admin/tokens").text
    assert "dashboard" in listed
    assert token not in listed
    token_id = re.search(r"/admin/tokens/([0-9a-f-]{36})/revoke", listed)
    assert token_id is not None
    assert owner.send(token_id.group()).headers["location"] == "/admin/tokens?done=token_revoked"
    assert _rights(site, token) is None


@pytest.mark.parametrize("fields", [{"days": "0"}, {"days": "x"}, {"days": "99999"}, {"name": " "}, {"role": "king"}])
def test_a_token_that_makes_no_sense_is_not_made(site: Site, fields: dict[str, str]) -> None:
    owner = site.signed_in()

    answer = owner.send("/admin/tokens", **{"name": "x", "role": "auditor", "days": "30", **fields})

    assert answer.status_code == 422


def _demote(site: Site, login: LoginView, ann: UserId) -> None:
    del ann
    _operators(site).set_role(login.id, Role.AUDITOR, opens_content=False)


def _remove(site: Site, login: LoginView, ann: UserId) -> None:
    del ann
    site.logins.remove(site.workspace_id, login.id, actor="command:test")


def _block(site: Site, login: LoginView, ann: UserId) -> None:
    _operators(site).set_person(login.id, ann)
    users.block(site.stage.platform.database, ann)


def _erase(site: Site, login: LoginView, ann: UserId) -> None:
    _operators(site).set_person(login.id, ann)
    site.stage.platform.eraser.erase(ann, actor="command:test")


@pytest.mark.parametrize(
    ("end", "is_left"),
    [(_demote, True), (_remove, False), (_block, False), (_erase, False)],
    # By name: a function's own id is another one in every process.
    ids=["demoted", "removed", "blocked", "erased"],
)
@pytest.mark.parametrize("generations", [1, 2])
def test_a_token_is_never_more_than_whoever_made_it_is_now(
    site: Site, end: Callable[[Site, LoginView, UserId], None], generations: int, *, is_left: bool
) -> None:
    """A token of the maker's own, and one that was made with it."""
    maker, ann = site.signed_in(), site.person("ann")
    login = _login(site, Role.OWNER)
    token = _made(maker, role="owner")
    for _ in range(generations - 1):
        token = _child(site, token)
    # So that the maker is not the last owner.
    _second_owner(site)
    assert _rights(site, token) >= {Right.SEE_PEOPLE, Right.MANAGE_PEOPLE}  # type: ignore[operator]

    end(site, login, ann)

    rights = _rights(site, token)
    assert (rights is not None) == is_left
    assert Right.MANAGE_PEOPLE not in (rights or set())
    assert (Right.SEE_PEOPLE in (rights or set())) == is_left


def test_a_token_ends_with_the_one_that_it_was_made_with(site: Site) -> None:
    owner = site.signed_in()
    parent = _made(owner, role="owner", days="2")
    child = _child(site, parent)

    site.stage.clock.advance(2 * 86_400)

    assert _rights(site, child) is None


def test_a_maker_of_an_unknown_kind_gives_nothing(site: Site) -> None:
    parts = site.stage.platform
    maker = Maker.at_command_line(site.workspace_id, "somebody:else")
    token = create_token(parts.database, parts.privacy, maker, name="x", role=Role.AUDITOR)[1]

    assert _rights(site, token) is None


def _child(site: Site, token: str) -> str:
    parts = site.stage.platform
    holder: Any = holder_of(parts.database, parts.privacy, token)
    maker = Maker(site.workspace_id, holder.actor, holder.role, holder.rights)
    return create_token(parts.database, parts.privacy, maker, name="child", role=Role.ADMIN)[1]


def _second_owner(site: Site) -> None:
    link = site.logins.invite(site.workspace_id, "second", Role.OWNER, opens_content=False, actor="command:test")
    token = link.path.partition("token=")[2]
    site.browser().post("/admin/first", token=token, password=PASSWORD, again=PASSWORD)


# ---- receipts ---------------------------------------------------------------------------------------------------


def test_who_was_erased_is_listed_with_a_receipt_that_is_genuine(site: Site) -> None:
    owner, ann = site.signed_in(), site.person("ann")
    receipt = site.stage.platform.eraser.erase(ann, actor="command:test")
    theirs = site.signed_in(Role.OWNER, site.other_workspace())

    listed, path = owner.get("/admin/receipts").text, f"/admin/receipts/{receipt.receipt_id}"

    assert str(ann) in listed
    assert path in listed
    assert verify_receipt(owner.get(path).content)["subjects"] == [str(ann)]
    assert str(ann) in owner.get("/admin/receipts.csv").text
    assert str(ann) not in theirs.get("/admin/receipts").text
    assert theirs.get(path).status_code == 404
