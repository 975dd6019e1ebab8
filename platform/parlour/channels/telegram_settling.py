"""Finding out whether a Telegram message whose answer was lost is there, though Telegram has no way to ask.

Message ids only grow within a chat, and editing is repeatable. So a silent placeholder is posted, whose id bounds from
above where the lost message can be; the message answered bounds it from below. Every id between is edited into the text
that was to be sent: it works for a message of ours only (or says "not modified"), and is refused for all others. When
none takes it, the lost message never was, and the placeholder becomes the answer. Either way it stands there once.

A placeholder whose own answer was lost, or whose process died, is left behind between the answer and the placeholder of
the next try. Where nothing else of ours can be under way, the ids behind the answer are therefore tried as well: edited
into a placeholder, which changes nothing where one stands, and deleted where that works. That is so in a private chat,
and for the answer to a question in a group that Telegram says has no topics. Where it has some, the edit might hit an
answer in another topic that was sent this moment, so there such a silent "…" stays.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from parlour.turns.ports import DraftLost, NotSent, OutcomeUnknown, Post, Receipt, Rejected, Throttled

# Where more than this was written meanwhile (in the group; for a private chat: in all private chats of the bot, less
# what this process has seen in others), trying it all would use up the send limit.
MAX_CANDIDATES: Final = 100
_MAX_SEARCHES: Final = 1_000
_CLEAN_UPS: Final = 5
# Refusals that are about the chat as a whole; any other is about the message that was tried.
ABOUT_THE_CHAT: Final = frozenset({"forbidden", "chat_not_found", "chat_moved"})


@dataclass(slots=True)
class _Search:
    """How far the search for one post has come, kept over being throttled in the middle."""

    placeholder: int
    candidates: list[int]
    found: int | None = None
    orphans: list[int] = field(default_factory=list)
    clean_ups: int = field(default=0)


@dataclass(frozen=True, slots=True)
class Deeds:
    """What settling does in a chat. All but `placeholder` may be repeated without harm."""

    placeholder: Callable[[Post], Awaitable[int]]
    edit: Callable[[Post, int], Awaitable[None]]
    empty: Callable[[Post, int], Awaitable[None]]
    give_notice: Callable[[Post, int], Awaitable[None]]
    delete: Callable[[Post, int], Awaitable[None]]
    is_another: Callable[[Post, int], bool]
    has_topics: Callable[[Post], Awaitable[bool]]


class Settling:
    """Searches under way, by the key of their post."""

    def __init__(self, deeds: Deeds) -> None:
        self._do = deeds
        self._searches: OrderedDict[str, _Search] = OrderedDict()

    async def settle(self, post: Post) -> Receipt | None:
        """The receipt of `post`, which is then certainly there, once. See `Messenger.settle`."""
        if post.draft_key is not None:
            return await self._settle_edit(post, post.draft_key)
        search = self._searches.get(post.key) or await self._begin(post)
        await self._look(post, search)
        if search.found is not None and search.candidates and await self._is_alone(post):
            await self._look_for_orphans(post, search)
        if search.found is None:
            return await self._use_placeholder(post, search)
        await self._clean_up(post, search)
        del self._searches[post.key]
        return Receipt(str(search.found))

    async def _settle_edit(self, post: Post, draft_key: str) -> Receipt | None:
        try:
            await self._do.edit(post, int(draft_key))
        except DraftLost:
            return None
        return Receipt(draft_key)

    async def _begin(self, post: Post) -> _Search:
        """Post the placeholder and list the ids where the message can be, oldest first.

        A placeholder whose own answer was lost came after the message: in this order the message is found before it.
        """
        placeholder = await self._do.placeholder(post)
        known = {int(key) for key in post.known_keys}
        # What was posted after the lost message (in another topic) may be known too: only the message answered is
        # surely older. Without one, the newest known is the best bound there is.
        floor = int(post.reply_to) if post.reply_to else max((key for key in known if key < placeholder), default=0)
        between = (key for key in range(floor + 1, placeholder) if key not in known)
        candidates = list(islice((key for key in between if not self._do.is_another(post, key)), MAX_CANDIDATES + 1))
        if len(candidates) > MAX_CANDIDATES:
            await self._do.give_notice(post, placeholder)
            raise Rejected("unknown_outcome")
        search = _Search(placeholder, candidates)
        self._searches[post.key] = search
        while len(self._searches) > _MAX_SEARCHES:
            self._searches.popitem(last=False)
        return search

    async def _look(self, post: Post, search: _Search) -> None:
        while search.candidates and search.found is None:
            candidate = search.candidates[0]
            if await self._is_ours(post, candidate, self._do.edit):
                search.found = candidate
            search.candidates.pop(0)

    async def _is_alone(self, post: Post) -> bool:
        """Whether nothing but this conversation can be writing in the chat; its own messages go out one by one."""
        if post.address.is_private or post.address.thread is not None:
            return post.address.thread is None
        # What answers no question may be of a handoff, of which several share a group.
        return post.reply_to is not None and not await self._do.has_topics(post)

    async def _look_for_orphans(self, post: Post, search: _Search) -> None:
        while search.candidates:
            if await self._is_ours(post, search.candidates[0], self._do.empty):
                search.orphans.append(search.candidates[0])
            search.candidates.pop(0)

    async def _is_ours(self, post: Post, candidate: int, edit: Callable[[Post, int], Awaitable[None]]) -> bool:
        try:
            await edit(post, candidate)
        except DraftLost:
            return False
        except Rejected as refused:
            if refused.code in ABOUT_THE_CHAT:
                raise
            return False
        return True

    async def _use_placeholder(self, post: Post, search: _Search) -> Receipt | None:
        """The message never was: the placeholder becomes it."""
        try:
            await self._do.edit(post, search.placeholder)
        except (DraftLost, Rejected) as refused:
            if isinstance(refused, Rejected) and (post.file is None or refused.code in ABOUT_THE_CHAT):
                raise
            # Somebody deleted the placeholder, or it cannot become a file: nothing is there, sending anew is safe.
            if post.file is not None:
                await self._clean_up(post, search)
            del self._searches[post.key]
            return None
        del self._searches[post.key]
        return Receipt(str(search.placeholder))

    async def _clean_up(self, post: Post, search: _Search) -> None:
        """Delete the placeholders. They are worth a few tries, not an answer that is never noted as sent."""
        try:
            while search.orphans:
                await self._do.delete(post, search.orphans[-1])
                search.orphans.pop()
            await self._do.delete(post, search.placeholder)
        except (Throttled, NotSent, OutcomeUnknown):
            search.clean_ups += 1
            if search.clean_ups < _CLEAN_UPS:
                raise
        except (Rejected, DraftLost):
            pass
