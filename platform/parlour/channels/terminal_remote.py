"""The terminal's conversation over HTTP, with the `parlour up` that has the data folder."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, Final, Self

import httpx

from parlour.channels.mailbox import Event
from parlour.channels.talk import TalkBroken
from parlour.channels.terminal_api import API, SaidBody, TakenBody, decode, from_body
from parlour.store.ids import AttachmentId, TurnId
from parlour.turns.ports import Taken
from parlour.turns.said import FileView, Said

_CONNECT_S: Final = 5.0
_REQUEST_S: Final = 30.0
# The server says something at least every few seconds, if only that it is still there.
_SILENCE_S: Final = 30.0


class RemoteTalk:
    """A `Talk` with another process. Use it as an async context manager."""

    def __init__(self, url: str, token: str, user: str) -> None:
        self._user = user
        self._client = httpx.AsyncClient(
            base_url=f"{url}{API}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(_REQUEST_S, connect=_CONNECT_S),
            # Another process of this machine: no proxy of the environment has business there.
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def say(self, text: str, *, client_id: str) -> Taken:
        """Hand a message in."""
        answer = await self._request("POST", "/turns", json={"user": self._user, "id": client_id, "text": text})
        taken = TakenBody.model_validate_json(answer.content)
        return Taken(taken.verdict, TurnId(taken.turn) if taken.turn else None)

    async def stop(self) -> None:
        """Stop the running answer."""
        await self._request("POST", "/stop", json={"user": self._user})

    async def recent(self, *, limit: int) -> list[Said]:
        """The newest messages, oldest first."""
        answer = await self._request("GET", "/history", params={"user": self._user, "limit": limit})
        return [from_body(SaidBody.model_validate(one)) for one in answer.json()]

    async def file(self, file_id: AttachmentId) -> FileView | None:
        """A file of an answer."""
        answer = await self._request("GET", f"/files/{file_id}", params={"user": self._user}, may_be_missing=True)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        # Its name is known from the message that it belongs to.
        return FileView("", answer.headers.get("content-type", ""), answer.content)

    async def follow(self) -> AsyncIterator[Event]:
        """What is said from now on. Ends when the other process stops. Raises `TalkBroken`."""
        timeout = httpx.Timeout(_SILENCE_S, connect=_CONNECT_S)
        try:
            async with self._client.stream("GET", "/events", params={"user": self._user}, timeout=timeout) as stream:
                _check(stream)
                async for event in decode(stream.aiter_lines()):
                    yield event
        except httpx.HTTPError as error:
            raise TalkBroken(_away(error)) from error

    async def _request(
        self,
        method: str,
        path: str,
        *,
        may_be_missing: bool = False,
        **values: Any,  # noqa: ANN401 (httpx's own)
    ) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, **values)
        except httpx.HTTPError as error:
            raise TalkBroken(_away(error)) from error
        if not (may_be_missing and answer.status_code == HTTPStatus.NOT_FOUND):
            _check(answer)
        return answer


def _check(answer: httpx.Response) -> None:
    """Raise `TalkBroken` for an answer that is none."""
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise TalkBroken("The running parlour up does not know this data folder's token. Restart it, then try again.")
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        raise TalkBroken(
            "The running parlour up cannot use its database just now. Try again; parlour doctor tells more."
        )
    if answer.is_error:
        raise TalkBroken(f"The running parlour up answered {answer.status_code}. Its log on stderr tells why.")


def _away(error: httpx.HTTPError) -> str:
    return f"The running parlour up does not answer ({type(error).__name__}). Is it still running?"
