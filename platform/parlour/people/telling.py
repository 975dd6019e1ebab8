"""What people say outright about how they want to be treated, and what they ask to be remembered. Rules, no model."""

import re
import unicodedata
from typing import Final

from parlour.people.facts import LONGEST_TEXT, EntryKind, Fact, Slot

# Nothing longer is remembered; with what else stands in the sentence it may be so long. Patterns see nothing longer: what
# they look for again at every word takes a time that grows by the square.
LONGEST_SENTENCE: Final = 2 * LONGEST_TEXT
_SENTENCE: Final = re.compile(r"[^.!?。！？\n]+(?:[.!?](?=\w)[^.!?。！？\n]*)*")
_REMEMBER: Final = re.compile(
    r"^(?:(?:please|and|so|also|ok(?:ay)?|hey|could you|can you|will you|i want you to|i'd like you to)[, ]+)*"
    r"(?:remember|memori[sz]e|keep in mind|do(?:n't| not) forget|make a note|note down|note)\b(?! (?:when|how|what|to)\b)"
    r"[ ,:]*(?:of |for me )?[ ,:]*(?:that\b)?[ ,:]*(?P<what>.+)$"
    r"|^(?:请|麻烦|帮我|你|您|要|一定|千万|好|，|,)*(?:记住|记下|记得|别忘了|不要忘记|记一下)[，,：: ]*(?P<that>.+)$",
    re.IGNORECASE,
)
_NAME: Final = re.compile(
    r"\b(?:call|address) me (?:as )?(?P<a>[^,.;!?]{1,40})|\bi(?:'d| would)? (?:like|prefer|want) to be called (?P<b>[^,.;!?]{1,40})"
    r"|(?:叫|称呼|喊)我(?:为|作|做)?(?P<c>[^，。,.；;！!？?吧就]{1,20})",
    re.IGNORECASE,
)
_NOT_A_NAME: Final = re.compile(
    r"^(?:back|later|when|if|a|an|at|on|in|tomorrow|today|tonight|crazy|old|up|out|anything|whatever|what)\b|^(?:一声|起床|来|去)",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(
    r"\s+(?:from now on|please|instead|in future|always|okay|ok|thanks|thank you)$", re.IGNORECASE
)
_NEVER: Final = re.compile(
    r"\b(?:never|do not|don't|stop|no more|please avoid|avoid)\b (?:ever )?"
    r"(?:use|using|uses?|mention|mentioning|talk(?:ing)? about|send(?:ing)?|writ(?:e|ing)|add(?:ing)?|"
    r"recommend(?:ing)?|suggest(?:ing)?|say(?:ing)?|bring(?:ing)? up|tell(?:ing)? me|call(?:ing)? me|emojis?|jokes?)\b.*"
    r"|(?:不要|别|请勿|不许|永远不要|千万别)(?:再)?(?:用|使用|提|提到|说|讲|发|推荐|加|写|叫我).*",
    re.IGNORECASE,
)
_WISH: Final = re.compile(
    r"\b(?:please|always|from now on|i (?:like|prefer|want|would like|'d like)|i'd prefer|keep|be|make|use|answer|reply|"
    r"respond|write|your (?:answers|replies))\b|请|以后|总是|我(?:喜欢|希望|想要|要)|回答|回复|尽量|用",
    re.IGNORECASE,
)
_ANSWERS: Final = re.compile(
    r"\b(?:answers?|repl(?:y|ies)|respon(?:d|ses?)|writ(?:e|ing)|explanations?|messages?|with me|to me|from now on|be|keep)\b"
    r"|回答|回复|答复|说话|语气|以后",
    re.IGNORECASE,
)
_SLOTS: Final = (
    # Only for good: one answer in another language is no wish about all of them.
    (Slot.LANGUAGE, re.compile(r"^(?=.*(?:\b(?:always|from now on|in future|prefer|only)\b|以后|今后|总是|一直|始终|都用|只用)).*"
                               r"(?:\b(?:in|use|speak|write) (?:english|chinese|mandarin|french|german|spanish|italian|portuguese|"
                               r"dutch|russian|japanese|korean|arabic|hindi)\b|[用说讲以](?:中文|汉语|普通话|英文|英语|法语|德语|"
                               r"西班牙语|日语|韩语|俄语))", re.DOTALL)),
    (Slot.LENGTH, re.compile(r"\b(?:short(?:er)?|brief(?:ly)?|concise(?:ly)?|detailed|in detail|long(?:er)?|thorough(?:ly)?|"
                             r"one sentence|few words|to the point)\b|简短|简洁|简单点|详细|长一点|短一点|一句话")),
    (Slot.TONE, re.compile(r"\b(?:formal(?:ly)?|informal(?:ly)?|casual(?:ly)?|friendly|polite(?:ly)?|professional(?:ly)?|"
                           r"humorous|funny|serious|warm)\b|正式|随意|轻松|友好|礼貌|专业|幽默|严肃|亲切")),
    (Slot.FORMAT, re.compile(r"\b(?:bullet (?:points?|lists?)|bullets|tables?|numbered lists?|plain text|markdown|step by step|"
                             r"paragraphs?)\b|列表|表格|要点|分点|纯文本|分步")),
)  # fmt: skip
_INTEREST: Final = re.compile(
    r"\bi(?:'m| am) (?:very |really |quite )?(?:interested in|fond of|into|passionate about|keen on) (?P<a>[^.;!?]{2,80})"
    r"|\bmy hobby is (?P<b>[^.;!?]{2,80})|我(?:对|很对|非常对)(?P<c>[^，。,.；;！!？?]{1,30})(?:很|非常|特别|十分)?感兴趣"
    r"|我的(?:爱好|兴趣)是(?P<d>[^。.；;！!？?]{1,40})",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """The sentences of a text of up to `LONGEST_SENTENCE` characters, without their full stops."""
    return [sentence for sentence, _ in ended_sentences(text)]


def ended_sentences(text: str) -> list[tuple[str, str]]:
    """The same, each with the sign that it ends with; that is empty at the end of the text."""
    whole = unicodedata.normalize("NFKC", text)
    parts = [(found.group().strip(" ,，"), whole[found.end() : found.end() + 1]) for found in _SENTENCE.finditer(whole)]
    return [(part, sign) for part, sign in parts if 0 < len(part) <= LONGEST_SENTENCE]


def asked_to_remember(text: str) -> list[str]:
    """What the person says outright to remember: each such sentence, without the asking."""
    found = []
    for sentence in sentences(text):
        asked = _REMEMBER.match(sentence)
        what = (asked["what"] or asked["that"] or "").strip(" ,，:：") if asked else ""
        if what and len(what) <= LONGEST_TEXT:
            found.append(what)
    return found


def told(text: str) -> Fact | None:
    """The preference or interest that one sentence states outright; None where it states none."""
    name = _first(_NAME, text)
    if name and not _NOT_A_NAME.search(name) and "never" not in text.casefold():
        return Fact(EntryKind.PREFERENCE, _TAIL.sub("", name).strip("\"'“” 「」"), Slot.NAME)
    never = _NEVER.search(text)
    if never:
        return Fact(EntryKind.PREFERENCE, never.group().strip(), Slot.NEVER)
    interest = _first(_INTEREST, text)
    if interest:
        return Fact(EntryKind.INTEREST, interest)
    if _WISH.search(text) and _ANSWERS.search(text):
        for slot, pattern in _SLOTS:
            if pattern.search(text.casefold()):
                return Fact(EntryKind.PREFERENCE, text.strip(), slot)
    return None


def is_wish(sentence: str) -> bool:
    """Whether somebody says how they want to be treated, in whichever words."""
    return any(pattern.search(sentence) for pattern in (_WISH, _NAME, _NEVER))


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return next((group.strip() for group in found.groups() if group), "") if found else ""
