"""Pictures and documents as the Bot API takes them, and a message of ours made into one."""

from typing import Any, Final

from telegram import Bot, InlineKeyboardMarkup, InputFile, InputMediaDocument, InputMediaPhoto

from parlour.channels.telegram_api import Refused
from parlour.turns.ports import PostedFile

MAX_CAPTION: Final = 1_024
# https://core.telegram.org/bots/api#sendphoto
_MAX_PHOTO_BYTES: Final = 10_000_000
_PHOTOS: Final = frozenset({"image/png", "image/jpeg", "image/webp"})
# An upload takes longer than a text.
_TIMEOUT_S: Final = 60.0


def is_picture(file: PostedFile) -> bool:
    """Whether to send it as a photo: Telegram shows those at once, and makes JPEGs of them."""
    return file.alt is not None and file.media_type in _PHOTOS and len(file.content) <= _MAX_PHOTO_BYTES


async def send_picture(bot: Bot, chat_id: int, file: PostedFile, **where: Any) -> int:  # noqa: ANN401 (Bot's own)
    """The id of the new message."""
    message = await bot.send_photo(chat_id, _content(file), _caption(file), write_timeout=_TIMEOUT_S, **where)
    return message.message_id


async def send_document(bot: Bot, chat_id: int, file: PostedFile, **where: Any) -> int:  # noqa: ANN401
    """The id of the new message."""
    message = await bot.send_document(
        chat_id,
        _content(file),
        _caption(file),
        disable_content_type_detection=True,
        write_timeout=_TIMEOUT_S,
        **where,
    )
    return message.message_id


async def replace(
    bot: Bot, chat_id: int, message_id: int, file: PostedFile, markup: InlineKeyboardMarkup | None
) -> None:
    """Make the message this file, if it is one of the bot's own; else the server refuses.

    Asked first with the caption alone, which every message but ours refuses too: uploading to find out would cost the
    whole file for each message that is tried.
    """
    try:
        await bot.edit_message_caption(chat_id, message_id, caption=_caption(file), reply_markup=markup)
    except Refused as refused:
        # A text of ours has no caption, and can be made a file all the same.
        if not refused.says("no caption", "message is not modified"):
            raise
    kind = InputMediaPhoto if is_picture(file) else InputMediaDocument
    media = kind(file.content, caption=_caption(file), filename=file.name)
    await bot.edit_message_media(media, chat_id, message_id, reply_markup=markup, write_timeout=_TIMEOUT_S)


def _content(file: PostedFile) -> InputFile:
    return InputFile(file.content, filename=file.name)


def _caption(file: PostedFile) -> str | None:
    return file.alt[:MAX_CAPTION] if file.alt else None
