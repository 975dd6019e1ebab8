"""One of each thing that has an id in the API's paths."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID, uuid4

from tests.unit.admin.api.conftest import Api


@dataclass
class Things:
    """Named as the paths' parameters are. None of them but in its own workspace."""

    user_id: UUID
    token_id: UUID

    @classmethod
    def nobodys(cls) -> Self:
        """Ids of nothing."""
        return cls(user_id=uuid4(), token_id=uuid4())


def things_of(api: Api) -> Things:
    """The workspace's own, made now."""
    user_id = api.person("ann")
    return Things(user_id=user_id, token_id=_token(api))


def _token(api: Api) -> UUID:
    return UUID(api.get("/v1/tokens").json()["items"][0]["id"])
