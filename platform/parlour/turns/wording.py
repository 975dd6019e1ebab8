"""What the assistant says by itself, in the languages it speaks. All else it says comes from a model or a skill."""

from typing import Final

from parlour.turns import people_wording, privacy_wording

FALLBACK: Final = "en"

TEXTS: Final[dict[str, dict[str, str]]] = {
    **people_wording.TEXTS,
    **privacy_wording.TEXTS,
    "failed": {
        "en": "Sorry, I could not answer that. Nothing is lost: send /retry to try again. (Reference: {reference})",
        "zh": "抱歉，这条消息我没能回答。内容没有丢失：发送 /retry 可以重试。（编号：{reference}）",
    },
    "too_long_for_model": {
        "en": "That message is too long for the model in use. Please send shorter pieces. (Reference: {reference})",
        "zh": "这条消息超出了当前模型的长度限制，请分成几段较短的内容发送。（编号：{reference}）",
    },
    "engine_away": {
        "en": (
            "The model has been out of reach for too long, so I gave this one up. Please send /retry later. "
            "(Reference: {reference})"
        ),
        "zh": "模型长时间无法连接，这条消息我暂时放弃了。请稍后发送 /retry。（编号：{reference}）",
    },
    "too_long": {
        "en": "That message is too long: I take up to {limit} characters. Please shorten it or send it in pieces.",
        "zh": "消息太长：我最多接收 {limit} 个字符。请缩短或分段发送。",
    },
    "too_fast": {
        "en": "That is more than I can take at once: I left out your last messages. Please resend them in a minute.",
        "zh": "消息来得太快，最近的几条我没有收下。请稍等一分钟再发送。",
    },
    "too_many_waiting": {
        "en": "{limit} messages here are still waiting. I did not take the last one; please send it again later.",
        "zh": "这个对话还有 {limit} 条消息在等待。最后一条我没有收下，请稍后再发。",
    },
    "stale": {
        "en": (
            "I was away when you wrote this ({age_days} days ago), so I did not answer it. "
            "Please ask again if it still matters."
        ),
        "zh": "您写这条消息时（{age_days} 天前）我不在线，所以没有回答。如果仍然需要，请再问一次。",
    },
    "pairing": {
        "en": "Hello! I do not know you yet. Please give this code to an administrator, who can let you in: {code}",
        "zh": "您好！我还不认识您。请把这个代码交给管理员，由管理员批准后即可使用：{code}",
    },
    "stopped": {"en": "Stopped.", "zh": "已停止。"},
    "merged": {"en": "I answer this together with what comes next.", "zh": "我会和下一条消息一起回答。"},
    "nothing_to_stop": {"en": "Nothing is running.", "zh": "现在没有正在进行的回答。"},
    "nothing_to_retry": {"en": "There is nothing to try again yet.", "zh": "还没有可以重试的消息。"},
    "new": {
        "en": "A fresh start: I no longer look at what was said before.",
        "zh": "新的开始：之前的内容我不会再参考。",
    },
    "help": {
        "en": "Just write to me. These commands work too:\n\n{commands}",
        "zh": "直接给我发消息就可以。也可以使用这些命令：\n\n{commands}",
    },
    "skills": {
        "en": "No skills are installed. I answer from what the model knows.",
        "zh": "还没有安装技能。我会用模型已有的知识回答。",
    },
    "skill_bound": {
        "en": "The skill “{skill}” answers here now, until /new or /skills off.",
        "zh": "现在由技能“{skill}”回答，直到 /new 或 /skills off。",
    },
    "skill_unbound": {
        "en": "From now on I choose the skill for each message myself.",
        "zh": "从现在起由我为每条消息选择技能。",
    },
    "skill_unknown": {
        "en": "There is no skill “{given}” that answers messages. There are: {there}.",
        "zh": "没有可以回答消息的技能“{given}”。现有：{there}。",
    },
    "language_set": {"en": "I will answer in {language} from now on.", "zh": "从现在起我会用{language}回答。"},
    "language_auto": {
        "en": "I will answer in the language you write in.",
        "zh": "您用什么语言写，我就用什么语言回答。",
    },
    "language_unknown": {
        "en": "I do not know the language “{given}”. Try a code such as en, zh, de, fr, es, ja, or auto.",
        "zh": "我不认识语言“{given}”。请使用代码，例如 en、zh、de、fr、es、ja，或 auto。",
    },
    "mode_queue": {
        "en": "Messages that arrive while I answer will wait their turn.",
        "zh": "我回答时收到的消息会依次等待。",
    },
    "mode_merge": {
        "en": "Messages that arrive while I answer will be answered together next.",
        "zh": "我回答时收到的消息会合并，一起回答。",
    },
    "mode_interrupt": {
        "en": "A new message will stop the answer I am writing.",
        "zh": "新消息会打断我正在写的回答。",
    },
    "mode_unknown": {
        "en": (
            "Choose one of: /mode queue (the next one waits), /mode merge (answer them together), "
            "/mode interrupt (stop and take the new one)."
        ),
        "zh": "请选择：/mode queue（依次等待）、/mode merge（合并回答）、/mode interrupt（停下并回答新消息）。",
    },
    "privacy": {
        "en": (
            "What you write is stored encrypted under a key of your own and deleted after {days} days. "
            "It is used to answer you and nothing else; administrators do not read it by default."
        ),
        "zh": "您写的内容用您专属的密钥加密保存，{days} 天后删除。它只用来回答您，管理员默认不能阅读。",
    },
    "privacy_forever": {
        "en": (
            "What you write is stored encrypted under a key of your own until you or an administrator delete it. "
            "It is used to answer you and nothing else; administrators do not read it by default."
        ),
        "zh": "您写的内容用您专属的密钥加密保存，直到您或管理员删除。它只用来回答您，管理员默认不能阅读。",
    },
    "unknown_command": {
        "en": "I do not know the command /{given}. Send /help for the ones I know.",
        "zh": "我不认识命令 /{given}。发送 /help 查看可用命令。",
    },
    "files_unread": {
        "en": "I got {names}, but the model in use reads text only, so I cannot look inside.",
        "zh": "我收到了 {names}，但当前模型只能读文字，无法查看其中的内容。",
    },
    "files_too_large": {
        "en": "{names} is larger than the {limit} MB I take, so I did not keep it.",
        "zh": "{names} 超过了 {limit} MB 的上限，我没有保存。",
    },
    "handoff_request": {
        "en": (
            "🙋 **{name}** asks for a person ({before} waiting before).\n\n{summary}\n\n"
            "Reply here to take it: what you write goes to them. /done (in Slack: !done) ends it; "
            "what you write behind it is what the assistant is told."
        ),
        "zh": (
            "🙋 **{name}** 请求人工服务（前面还有 {before} 位）。\n\n{summary}\n\n"
            "在这里回复即可接手，您写的内容会发给对方。/done（Slack 中用 !done）结束；其后的文字会告诉助手。"
        ),
    },
    "handoff_take": {"en": "Take it", "zh": "接手"},
    "handoff_end": {"en": "Done", "zh": "结束"},
    "handoff_claimed": {
        "en": "**{name}** has it. What they write here goes to the person.",
        "zh": "**{name}** 已接手。其在此处写的内容会发给对方。",
    },
    "handoff_taken": {
        "en": "**{name}** has it already; only what they write goes to the person.",
        "zh": "**{name}** 已经接手；只有其写的内容会发给对方。",
    },
    "handoff_files_stay": {
        "en": "Files stay here: they are not passed on to the person.",
        "zh": "文件只保留在这里，不会转发给对方。",
    },
    "handoff_is_over": {
        "en": "This conversation is with the assistant again; nothing goes to the person from here.",
        "zh": "该对话已交还给助手，这里的内容不会再发给对方。",
    },
    "handoff_closed": {"en": "Ended by **{name}**.", "zh": "已由 **{name}** 结束。"},
    "handoff_here": {
        "en": "**{name}** is here now. What you write goes to them; the assistant is silent. /done ends it.",
        "zh": "**{name}** 来了。您写的内容会发给对方，助手不再插话。/done 结束人工服务。",
    },
    "handoff_over": {
        "en": "You are talking to the assistant again.",
        "zh": "现在由助手继续为您服务。",
    },
    "handoff_waiting": {
        "en": "I asked for a person ({before} before you). They see what was said here lately, and answer here.",
        "zh": "已为您请求人工服务（前面还有 {before} 位）。对方能看到最近的对话，并会在这里回复。",
    },
    "handoff_waiting_minutes": {
        "en": "Lately that took about {minutes} min. What you write meanwhile is passed on; /done takes it back.",
        "zh": "近来大约需要 {minutes} 分钟。期间您写的内容会转给对方；/done 可以取消。",
    },
    "handoff_with": {"en": "You are talking to **{name}** already.", "zh": "**{name}** 正在为您服务。"},
    "nobody_there": {
        "en": "There is no one here who could take over: nobody has been set up for that.",
        "zh": "这里还没有设置可以接手的人工服务。",
    },
    "nothing_to_end": {"en": "You are talking to the assistant already.", "zh": "现在就是助手在为您服务。"},
    "draft_lost": {
        "en": "An earlier answer may not have reached you. Send /retry to get it again.",
        "zh": "之前的一条回答可能没有送达。发送 /retry 可以重新获取。",
    },
}

LANGUAGES: Final[dict[str, str]] = {
    "ar": "العربية",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "hi": "हिन्दी",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt": "Português",
    "ru": "Русский",
    "tr": "Türkçe",
    "uk": "Українська",
    "vi": "Tiếng Việt",
    "zh": "中文",
}

ENGLISH_NAMES: Final[dict[str, str]] = {
    "ar": "Arabic",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}


def say(key: str, language: str | None, /, **values: object) -> str:
    """The text for `key` in `language` (an IETF tag; its first part counts), in English where it has no translation."""
    by_language = TEXTS[key]
    primary = (language or FALLBACK).split("-")[0].lower()
    return by_language.get(primary, by_language[FALLBACK]).format(**values)
