"""Files of answers on their way to Slack: announced, uploaded, and only then shared, which is what people see."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from parlour.channels.slack_api import SlackApi
from parlour.turns.ports import Address, OutcomeUnknown, PostedFile

Call = Callable[..., Awaitable[dict[str, Any]]]
_PREFIX = "file:"


async def share(call: Call, api: SlackApi, address: Address, file: PostedFile) -> str:
    """Share the file at the address; returns its key. Raises `SlackError` and what `turns.ports` names.

    Until it is shared nobody sees it, so that only the last request can have an outcome that is unknown.
    """
    answer = await call(
        "files.getUploadURLExternal",
        is_repeatable=True,
        filename=file.name,
        length=len(file.content),
        alt_txt=file.alt[:1_000] if file.alt else None,
    )
    file_id, url = str(answer.get("file_id") or ""), str(answer.get("upload_url") or "")
    if not file_id or not url:
        raise OutcomeUnknown("files.getUploadURLExternal: no address in the answer")
    await api.upload(url, file.content)
    await call(
        "files.completeUploadExternal",
        is_repeatable=False,
        # As JSON inside a form: so these methods take them.
        files=json.dumps([{"id": file_id, "title": file.alt or file.name}]),
        channel_id=address.chat,
        thread_ts=address.thread,
    )
    return f"{_PREFIX}{file_id}"


def found_in(message: dict[str, Any], file: PostedFile, *, known_keys: frozenset[str]) -> str | None:
    """The key of the file, if the message shares it and no other post of ours is known to be that.

    Files carry no mark of ours. One of this name and size, in a message of ours after the one that is answered, that
    belongs to no other post, is it.
    """
    for shared in message.get("files") or ():
        key = f"{_PREFIX}{shared.get('id')}"
        is_same = shared.get("name") == file.name and shared.get("size") == len(file.content)
        if is_same and key not in known_keys:
            return key
    return None
