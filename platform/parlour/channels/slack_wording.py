"""The few words that the Slack channel says by itself. Everything else comes from `turns.wording` or a model."""

from typing import Final

_TEXTS: Final[dict[str, dict[str, str]]] = {
    "good": {"en": "Good answer", "zh": "回答得好"},
    "bad": {"en": "Bad answer", "zh": "回答不好"},
    "good_label": {"en": "Rate this answer as good", "zh": "将此回答评为好"},
    "bad_label": {"en": "Rate this answer as bad", "zh": "将此回答评为不好"},
    "thinking": {"en": "is thinking…", "zh": "正在思考……"},
    "greeting": {
        "en": "Hello! Ask me anything, or send `!help` to see what I can do.",
        "zh": "您好！有问题请直接问我，发送 `!help` 可以查看我能做什么。",
    },
    "prompts_title": {"en": "How can I help?", "zh": "需要我做什么？"},
    "prompt_help": {"en": "What can you do?", "zh": "你能做什么？"},
    "prompt_summary": {"en": "Summarise a text", "zh": "总结一段文字"},
    "prompt_summary_text": {
        "en": "I will paste a text next. Please summarise it in three sentences.",
        "zh": "我接下来会发一段文字，请用三句话总结。",
    },
    "prompt_draft": {"en": "Help me write a message", "zh": "帮我写一条消息"},
    "prompt_draft_text": {
        "en": "Help me write a short, friendly message to my team. Ask me what it is about.",
        "zh": "帮我给团队写一条简短友好的消息。请先问我内容是什么。",
    },
    "installed": {
        "en": "{name} can talk to the assistant now. You can close this page and open Slack.",
        "zh": "{name} 现在可以使用助手了。您可以关闭此页面并打开 Slack。",
    },
    "install_expired": {
        "en": "This installation link was already used, is too old, or another browser's. Please start again.",
        "zh": "此安装链接已使用、已过期，或是在另一个浏览器中打开的。请重新开始安装。",
    },
    "install_denied": {
        "en": "The installation was not allowed in Slack. Nothing was stored.",
        "zh": "Slack 中未允许安装。没有保存任何内容。",
    },
    "install_failed": {
        "en": "Slack did not complete the installation ({code}). Nothing was stored. Please start again.",
        "zh": "Slack 没有完成安装（{code}）。没有保存任何内容。请重新开始安装。",
    },
    "install_again": {"en": "Start again", "zh": "重新开始"},
}


def say(text: str, language: str | None, **values: str) -> str:
    """The named text in `language` (an IETF tag), in English where there is no better."""
    wordings = _TEXTS[text]
    return wordings.get((language or "").replace("_", "-").partition("-")[0].lower(), wordings["en"]).format(**values)


LANGUAGES: Final = tuple(_TEXTS["good"])
NAMES: Final = tuple(_TEXTS)
