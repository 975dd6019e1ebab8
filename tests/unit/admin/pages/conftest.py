"""The admin pages over a platform of a test's own, and browsers that sign in to them."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from parlour.admin.app import build_app
from parlour.admin.health import Health
from parlour.admin.signin.links import first_link
from parlour.admin.signin.logins import Logins
from parlour.admin.site import add_pages
from parlour.people.accounts import AccountBook
from parlour.people.states import Role
from parlour.store.ids import UserId, WorkspaceId
from parlour.store.models import Turn
from tests.support.passwords import passwords_cost_little
from tests.support.sqlite_stage import template
from tests.support.stage import Stage, copy_of, open_stage

__all__ = ["Browser", "Site", "open_site", "passwords_cost_little", "site", "template"]

PASSWORD = "several words make a good one"
ADDRESS = "http://parlour.test"


class Browser:
    """A browser at the pages, and the token that its forms hold."""

    def __init__(self, app: FastAPI) -> None:
        self.client = TestClient(app, base_url=ADDRESS, follow_redirects=False, raise_server_exceptions=False)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers={"Accept": "text/html", **headers})

    def post(self, path: str, *, site: str = "same-origin", **fields: str) -> Any:
        """A form as it is, without the session's token."""
        return self.client.post(path, data=fields, headers={"Sec-Fetch-Site": site, "Accept": "text/html"})

    def send(self, path: str, **fields: str) -> Any:
        """A form as one of our own pages sends it."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get("/admin/account").text)
        assert found is not None
        return self.post(path, csrf=found.group(1), **fields)

    def sign_in(self, name: str, password: str = PASSWORD, code: str = "") -> Any:
        return self.post("/admin/signin", name=name, password=password, code=code)


@dataclass
class Site:
    """The pages, and everything behind them."""

    stage: Stage
    app: FastAPI
    workspace_id: WorkspaceId

    @property
    def logins(self) -> Logins:
        return Logins(self.stage.platform.database, self.stage.platform.privacy)

    def other_workspace(self) -> WorkspaceId:
        parts = self.stage.platform
        book = AccountBook(database=parts.database, privacy=parts.privacy, clock=parts.clock, workspace="other")
        return book.ensure_workspace()

    def first_token(self) -> str:
        parts = self.stage.platform
        link = first_link(parts.database, parts.privacy, self.workspace_id)
        assert link is not None
        return link.path.partition("token=")[2]

    def browser(self) -> Browser:
        return Browser(self.app)

    def signed_in(self, role: Role = Role.OWNER, workspace_id: WorkspaceId | None = None) -> Browser:
        """The browser of a new operator."""
        where, name = workspace_id or self.workspace_id, f"{role} of {workspace_id}"
        link = self.logins.invite(where, name, role, opens_content=False, actor="command:test")
        browser = self.browser()
        token = link.path.partition("token=")[2]
        assert browser.post("/admin/first", token=token, password=PASSWORD, again=PASSWORD).status_code == 303
        return browser

    def person(self, sender: str) -> UserId:
        """Somebody who writes, and is answered."""
        taken = self.stage.answered(f"Hello, I am {sender}.", sender=sender)
        with self.stage.platform.database.read() as session:
            return UserId(session.get_one(Turn, taken.turn_id).user_id)


@pytest.fixture
def open_site(template: Path, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    with ExitStack() as stack:

        def opened(**sections: Any) -> Site:
            stage = stack.enter_context(open_stage(copy_of(template, tmp_path / "data"), **sections))
            app = build_app([], Health({}), registry=CollectorRegistry())
            add_pages(app, stage.platform)
            return Site(stage, app, stage.platform.accounts.ensure_workspace())

        yield opened


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    return open_site()
