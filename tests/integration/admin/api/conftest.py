"""The API over a platform of a test's own, with somebody and something in each of two workspaces."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from parlour.admin.api.app import build_api
from parlour.admin.api.tokens import Maker, create_token
from parlour.admin.rights import Right
from parlour.people.accounts import AccountBook
from parlour.people.states import Role
from parlour.store.ids import UserId, WorkspaceId
from parlour.store.models import Turn
from tests.support.stage import Stage, copy_of, make_template, open_stage


@dataclass
class Api:
    """A client that shows one token, and everything behind what it talks to."""

    stage: Stage
    app: FastAPI
    client: TestClient
    workspace_id: WorkspaceId
    token: str

    def ask(self, method: str, path: str, *, token: str | None = None, key: str | None = None, **more: Any) -> Any:
        """A request; as this client's owner unless another token (or "" for none) is to be shown."""
        shown = self.token if token is None else token
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.client.request(method, path, headers=headers, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.ask("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.ask("POST", path, json=body, **more)

    def token_of(self, role: Role, scopes: Sequence[Right] | None = None, *, days: int = 90) -> str:
        """A token of the workspace."""
        parts = self.stage.platform
        maker = Maker.at_command_line(self.workspace_id, "command:test")
        return create_token(
            parts.database, parts.privacy, maker, name=f"for {role}", role=role, scopes=scopes, days=days
        )[1]

    def person(self, sender: str) -> UserId:
        """Somebody who writes, and is answered."""
        taken = self.stage.answered(f"Hello, I am {sender}.", sender=sender)
        with self.stage.platform.database.read() as session:
            return UserId(session.get_one(Turn, taken.turn_id).user_id)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated data folder; migrating it once saves most of the time."""
    return make_template(tmp_path_factory.mktemp("api") / "data")


@pytest.fixture
def stage(request: pytest.FixtureRequest, template: Path, tmp_path: Path) -> Iterator[Stage]:
    """A stage; its parameter, where it has one, is sections of the settings."""
    with ExitStack() as stack:
        yield stack.enter_context(open_stage(copy_of(template, tmp_path / "data"), **getattr(request, "param", {})))


@pytest.fixture
def api(stage: Stage) -> Iterator[Api]:
    """The API of the stage's own workspace, as an owner."""
    with _client(stage) as client:
        found = Api(stage, client.app, client, stage.platform.accounts.ensure_workspace(), "")  # type: ignore[arg-type]
        found.token = found.token_of(Role.OWNER)
        yield found


@pytest.fixture
def other(api: Api) -> Api:
    """The same installation's other workspace, with its own bot, as its owner."""
    stage = api.stage
    accounts = _accounts(stage, "other")
    joined = replace(stage, account_id=accounts.register("telegram", "other-bot", "Other"))
    found = Api(joined, api.app, api.client, accounts.ensure_workspace(), "")
    found.token = found.token_of(Role.OWNER)
    return found


def _accounts(stage: Stage, name: str) -> AccountBook:
    parts = stage.platform
    return AccountBook(database=parts.database, privacy=parts.privacy, clock=stage.clock, workspace=name)


def _client(stage: Stage) -> TestClient:
    app = build_api(stage.platform, requests_per_minute=1_000_000)
    return TestClient(app, base_url="http://test", raise_server_exceptions=True)
