"""What the chat page says around the conversation, in the languages it speaks."""

from typing import Final

FALLBACK: Final = "en"

TEXTS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "add_file": "Add a file",
        "answering": "The assistant is writing",
        "as_table": "As a table",
        "assistant": "Assistant",
        "away": "The server cannot read the conversation just now. Trying again.",
        "bad": "Bad answer",
        "choices": "Choices",
        "commands": "Type /help for what else works here.",
        "conversation": "Conversation",
        "copied": "Copied",
        "copy": "Copy",
        "delivered": "Sent",
        "failed": "This was not taken in.",
        "file_too_large": "{name} is too large: at most {limit} MB.",
        "good": "Good answer",
        "hello": "How can I help?",
        "latest": "Newest message",
        "new": "New conversation",
        "no_cookies": "This page needs cookies to know your conversation again. Allow them for this site and reload.",
        "no_script": "Without JavaScript, reload the page to see new answers.",
        "notice": "Notice",
        "offline": "No connection. Trying again.",
        "placeholder": "Write a message",
        "refused": "You cannot write to this assistant.",
        "remove_file": "Remove {name}",
        "resend": "Send again",
        "send": "Send",
        "sending": "Sending",
        "skip": "Skip to the message box",
        "stop": "Stop the answer",
        "stopping": "Stopping",
        "thanks": "Thank you",
        "unsent": "Not sent yet",
        "waiting": "Waiting its turn",
        "you": "You",
    },
    "zh": {
        "add_file": "添加文件",
        "answering": "助手正在写",
        "as_table": "以表格显示",
        "assistant": "助手",
        "away": "服务器暂时无法读取对话，正在重试。",
        "bad": "回答不好",
        "choices": "选项",
        "commands": "输入 /help 查看其他用法。",
        "conversation": "对话",
        "copied": "已复制",
        "copy": "复制",
        "delivered": "已发送",
        "failed": "这条消息没有收下。",
        "file_too_large": "{name} 太大：最多 {limit} MB。",
        "good": "回答得好",
        "hello": "有什么可以帮您？",
        "latest": "最新消息",
        "new": "新对话",
        "no_cookies": "本页面需要 Cookie 才能认出您的对话。请为本站允许 Cookie，然后重新加载。",
        "no_script": "没有 JavaScript 时，请重新加载页面查看新回答。",
        "notice": "提示",
        "offline": "没有连接，正在重试。",
        "placeholder": "写消息",
        "refused": "您不能给这个助手写消息。",
        "remove_file": "移除 {name}",
        "resend": "重新发送",
        "send": "发送",
        "sending": "正在发送",
        "skip": "跳到输入框",
        "stop": "停止回答",
        "stopping": "正在停止",
        "thanks": "谢谢",
        "unsent": "尚未发送",
        "waiting": "排队中",
        "you": "您",
    },
}


def choose_language(accept_language: str) -> str:
    """The page's language by the browser's wish, an `Accept-Language` header; English where none of ours is wished."""
    wishes: list[tuple[float, str]] = []
    for wish in accept_language.split(","):
        tag, _, quality = wish.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        wishes.append((-weight, tag.split("-")[0].lower()))
    # The sort keeps the browser's order among equals.
    ordered = [language for weight, language in sorted(wishes, key=lambda wish: wish[0]) if weight < 0]
    return next((language for language in ordered if language in TEXTS), FALLBACK)
