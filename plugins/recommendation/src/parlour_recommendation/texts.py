"""What the skill says, in English and Chinese."""

import re
from collections.abc import Mapping
from typing import Final

EN: Final[Mapping[str, str]] = {
    "no_catalogue": "There is nothing to recommend yet. An operator can hand in a catalogue: "
    "`parlour skill import recommendation catalogue items.csv`",
    "nothing": "I have nothing more to recommend.",
    "nothing_asked": "I found nothing that fits.",
    "head": "You may like:",
    "because_like": "because you liked *{title}*",
    "because_comment": "because you commented on *{title}*",
    "because_share": "because you shared *{title}*",
    "because_buy": "because you bought *{title}*",
    "because_view": "because you looked at *{title}*",
    "because_click": "because you looked at *{title}*",
    "asked": "it fits what you asked for",
    "popular": "many like it",
    "new": "it is new",
    "other": "to learn what you like",
    "more": "More",
    "noted_like": "Noted: you like *{title}*.",
    "noted_comment": "Noted: you commented on *{title}*.",
    "noted_share": "Noted: you shared *{title}*.",
    "noted_buy": "Noted: you bought *{title}*.",
    "noted_view": "Noted: you looked at *{title}*.",
    "noted_click": "Noted: you looked at *{title}*.",
    "noted_dismiss": "*{title}* will not be recommended to you again.",
    "unknown": "There is no item `{name}` in the catalogue.",
    "forgotten": "Forgotten: {count} things that I knew about your taste.",
    "catalogue": "The catalogue has {count:,} items, put in on {day}.",
    "staff_only": "Only admins can change the catalogue.",
    "kept": "Kept: {kept:,}. Not kept: {broken:,}.",
    "row": "Row {number} {problem}.",
    "rows_more": "And {count:,} more.",
    "none_kept": "No row could be kept, so nothing was changed.",
}

ZH: Final[Mapping[str, str]] = {
    "no_catalogue": "还没有可推荐的内容。管理员可以导入目录：`parlour skill import recommendation catalogue items.csv`",
    "nothing": "没有更多可推荐的了。",
    "nothing_asked": "没有找到合适的内容。",
    "head": "您可能喜欢：",
    "because_like": "因为您喜欢《{title}》",
    "because_comment": "因为您评论过《{title}》",
    "because_share": "因为您分享过《{title}》",
    "because_buy": "因为您买过《{title}》",
    "because_view": "因为您看过《{title}》",
    "because_click": "因为您看过《{title}》",
    "asked": "符合您的要求",
    "popular": "很多人喜欢",
    "new": "新上架",
    "other": "先了解您的口味",
    "more": "更多",
    "noted_like": "记下了：您喜欢《{title}》。",
    "noted_comment": "记下了：您评论了《{title}》。",
    "noted_share": "记下了：您分享了《{title}》。",
    "noted_buy": "记下了：您买了《{title}》。",
    "noted_view": "记下了：您看了《{title}》。",
    "noted_click": "记下了：您看了《{title}》。",
    "noted_dismiss": "以后不再向您推荐《{title}》。",
    "unknown": "目录中没有 `{name}`。",
    "forgotten": "已忘记：关于您喜好的 {count} 条记录。",
    "catalogue": "目录共有 {count:,} 项，导入于 {day}。",
    "staff_only": "只有管理员可以修改目录。",
    "kept": "已保存 {kept:,} 行，未保存 {broken:,} 行。",
    "row": "第 {number} 行：{problem}。",
    "rows_more": "另有 {count:,} 行。",
    "none_kept": "没有一行可用，未作任何更改。",
}

_MARKS: Final = re.compile(r"([\\`*_\[\]<>|#~])")


def say(language: str, name: str, /, **values: object) -> str:
    """The text of that name."""
    return (ZH if language == "zh" else EN)[name].format(**values)


def plain(title: str) -> str:
    """A title so that none of it is taken for Markdown."""
    return _MARKS.sub(r"\\\1", " ".join(title.split()))
