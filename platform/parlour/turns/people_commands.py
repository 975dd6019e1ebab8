"""What people tell the assistant about themselves by a command: memory, consent, linking; and admitting others."""

from typing import Final

from parlour.people import consent
from parlour.people.doer import Doer
from parlour.people.errors import CodeUnknown, LinkRefused, ProfileFull
from parlour.people.facts import LONGEST_TEXT, EntryKind, Fact, Source
from parlour.people.linking import LINK_LIFE, find_offer, link, offer_link
from parlour.people.profile import MOST_ENTRIES, Entry, Remembered, in_order
from parlour.people.rights import Right, may
from parlour.people.states import ADMITTED_AS, ConsentState, Role
from parlour.people.telling import told
from parlour.people.users import admit_by_code
from parlour.skills.documents import move_documents
from parlour.store.models import User
from parlour.turns.command import Command, Context, Order
from parlour.turns.people_wording import KINDS
from parlour.turns.wording import say

_FORGET: Final = frozenset({"forget", "delete", "remove", "忘记", "删除"})
_ADD: Final = frozenset({"add", "remember", "记住", "添加"})
_ALL: Final = frozenset({"all", "everything", "全部", "所有"})
_YES: Final = frozenset({"yes", "on", "是", "同意", "好"})
_NO: Final = frozenset({"no", "off", "否", "不", "不同意"})


# ---- /privacy ----------------------------------------------------------------------------------------------------


def _privacy(context: Context, argument: str) -> Order:
    if not argument:
        key = "privacy" if context.keep_days is not None else "privacy_forever"
        stored = say(key, context.language, days=context.keep_days)
        return Order(f"{stored}\n\n{_consent_told(context)}")
    if not context.conversation.is_private:
        return Order(say("only_private", context.language))
    word = argument.lower()
    if word not in _YES | _NO:
        return Order(say("privacy_usage", context.language))
    if word in _YES and not context.remembers:
        return Order(say("privacy_off", context.language))
    if word in _YES and not may(context.person.role, Right.BE_REMEMBERED):
        return Order(say("privacy_guest", context.language))
    return _decided(context, is_given=word in _YES)


def _decided(context: Context, *, is_given: bool) -> Order:
    decided = consent.decide(
        context.session, context.person.user_id, is_given=is_given, language=context.language, now=context.now
    )
    if decided.question is not None:
        return Order(decided.question)
    return Order(say("privacy_yes" if is_given else "privacy_no", context.language, count=decided.forgotten))


def _consent_told(context: Context) -> str:
    if not context.remembers:
        return say("privacy_off", context.language)
    if not may(context.person.role, Right.BE_REMEMBERED):
        return say("privacy_guest", context.language)
    match context.person.consent:
        case ConsentState.GIVEN:
            count = len(context.profiles.entries(context.session, context.person.user_id))
            return say("privacy_consent_given", context.language, count=count)
        case ConsentState.REFUSED:
            return say("privacy_consent_refused", context.language)
        case _:
            return say("privacy_consent_none", context.language)


# ---- /memory -----------------------------------------------------------------------------------------------------


def _memory(context: Context, argument: str) -> Order:
    refusal = _refusal(context)
    if refusal is not None:
        return refusal
    word, _, rest = argument.partition(" ")
    rest = rest.strip()
    if not word:
        return _listed(context)
    if word.lower() in _ADD and rest:
        return _add(context, rest)
    if word.lower() in _FORGET and rest:
        return _forget(context, rest)
    return Order(say("memory_usage", context.language))


def _refusal(context: Context) -> Order | None:
    if not context.conversation.is_private:
        return Order(say("only_private", context.language))
    return None if context.remembers else Order(say("privacy_off", context.language))


def _entries(context: Context) -> list[Entry]:
    return in_order(context.profiles.entries(context.session, context.person.user_id))


def _listed(context: Context) -> Order:
    entries = _entries(context)
    if entries:
        lines = [f"{number}. {_line(entry, context.language)}" for number, entry in enumerate(entries, start=1)]
        return Order(say("memory_list", context.language, entries="\n".join(lines)))
    if context.person.consent != ConsentState.GIVEN:
        return Order(_consent_told(context))
    return Order(say("memory_empty", context.language))


def _line(entry: Entry, language: str) -> str:
    label = _word(entry.fact.slot or entry.fact.kind, language)
    return f"{label}: {entry.fact.text} ({_word(entry.source, language)}, {entry.updated_at:%Y-%m-%d})"


def _word(name: str, language: str) -> str:
    return KINDS[name]["zh" if language == "zh" else "en"]


def _add(context: Context, text: str) -> Order:
    if context.person.consent != ConsentState.GIVEN:
        return Order(_consent_told(context))
    if len(text) > LONGEST_TEXT:
        return Order(say("memory_too_long", context.language, limit=LONGEST_TEXT))
    fact = told(text) or Fact(EntryKind.MEMORY, text)
    try:
        outcome = context.profiles.remember(
            context.session,
            context.person.user_id,
            fact,
            source=Source.TOLD,
            now=context.now,
        )
    except ProfileFull:
        return Order(say("memory_full", context.language, limit=MOST_ENTRIES))
    keys = {Remembered.NEW: "memory_added", Remembered.KNOWN: "memory_known", Remembered.CORRECTED: "memory_corrected"}
    return Order(say(keys[outcome], context.language, text=text))


def _forget(context: Context, which: str) -> Order:
    entries, profiles = _entries(context), context.profiles
    if which.lower() in _ALL:
        count = profiles.forget_all(context.session, context.person.user_id)
        return Order(say("memory_forgot_all", context.language, count=count))
    number = int(which) if which.isdecimal() and len(which) < len("1000000") else 0
    if not 1 <= number <= len(entries):
        return Order(say("memory_no_such", context.language, given=which[:32]))
    entry = entries[number - 1]
    profiles.forget(context.session, context.person.user_id, entry.id)
    return Order(say("memory_forgotten", context.language, text=entry.fact.text))


# ---- /link -------------------------------------------------------------------------------------------------------


def _link(context: Context, argument: str) -> Order:
    if not context.conversation.is_private:
        return Order(say("only_private", context.language))
    if not argument:
        offered = offer_link(context.session, context.privacy, context.person.user_id, now=context.now)
        minutes = LINK_LIFE.seconds // 60
        return Order(say("link_code", context.language, code=offered.code, minutes=minutes))
    code, _, confirmed = argument.partition(" ")
    try:
        return _linked(context, code, is_confirmed=confirmed.strip().lower() in _YES)
    except LinkRefused:
        return Order(say("link_refused", context.language))


def _linked(context: Context, code: str, *, is_confirmed: bool) -> Order:
    by, workspace_id = context.person.user_id, context.person.workspace_id
    offer = find_offer(context.session, context.privacy, code, by=by, workspace_id=workspace_id, now=context.now)
    channels = ", ".join(dict.fromkeys(channel.title() for channel in offer.channels))
    if not is_confirmed:
        return Order(say("link_confirm", context.language, name=offer.name or "?", channels=channels, code=code))
    stays = link(
        context.session, context.privacy, context.profiles, code, by=by, workspace_id=workspace_id, now=context.now
    )
    move_documents(context.session, context.privacy, from_id=by, to_id=stays)
    merged = context.session.get_one(User, by)
    Doer(context.privacy, f"user:{stays}").note(context.session, "user.link", merged, now=context.now)
    return Order(say("linked", context.language, channels=channels))


# ---- /approve ----------------------------------------------------------------------------------------------------


def _approve(context: Context, argument: str) -> Order:
    if not may(context.person.role, Right.APPROVE_PEOPLE):
        return Order(say("approve_not_you", context.language))
    code, _, role = argument.partition(" ")
    role = role.strip().lower() or Role.MEMBER
    if not code or role not in ADMITTED_AS:
        return Order(say("approve_usage", context.language))
    try:
        admit_by_code(
            context.session,
            context.privacy,
            code,
            now=context.now,
            role=Role(role),
            workspace_id=context.person.workspace_id,
            by=Doer(context.privacy, f"user:{context.person.user_id}"),
        )
    except CodeUnknown:
        return Order(say("approve_unknown", context.language))
    return Order(say("approved", context.language))


ALL: Final = (
    Command(
        "memory",
        "what I remember about you, add or forget one",
        "我记住了哪些关于您的内容，添加或忘记",
        _memory,
    ),
    Command("privacy", "what is stored, and whether I may remember you", "保存哪些内容，是否允许我记住您", _privacy),
    Command("link", "be the same person in another messenger", "在另一个通讯软件中使用同一身份", _link),
    Command("approve", "let somebody in by their code (administrators)", "用代码批准他人使用（管理员）", _approve),
)
