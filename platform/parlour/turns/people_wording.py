"""What the assistant says about people and what it remembers of them, in the languages it speaks."""

from typing import Final

TEXTS: Final[dict[str, dict[str, str]]] = {
    "only_private": {
        "en": "That is between you and me: please send it in our private chat.",
        "zh": "这是您和我之间的事：请在私聊中发送。",
    },
    # ---- quotas ----
    "quota_user_turns": {
        "en": "You have used your {limit} messages of today. It goes on at {at} UTC, in {hours} h {minutes} min.",
        "zh": "您今天的 {limit} 条消息已用完。{hours} 小时 {minutes} 分钟后（UTC {at}）可以继续。",
    },
    "quota_user_tokens": {
        "en": "You have used your {limit} tokens of today. It goes on at {at} UTC, in {hours} h {minutes} min.",
        "zh": "您今天的 {limit} 个词元已用完。{hours} 小时 {minutes} 分钟后（UTC {at}）可以继续。",
    },
    "quota_workspace_turns": {
        "en": (
            "Your organisation has used its {limit} messages of today. It goes on at {at} UTC, in {hours} h {minutes} min."
        ),
        "zh": "贵组织今天的 {limit} 条消息已用完。{hours} 小时 {minutes} 分钟后（UTC {at}）可以继续。",
    },
    "quota_workspace_tokens": {
        "en": (
            "Your organisation has used its {limit} tokens of today. It goes on at {at} UTC, in {hours} h {minutes} min."
        ),
        "zh": "贵组织今天的 {limit} 个词元已用完。{hours} 小时 {minutes} 分钟后（UTC {at}）可以继续。",
    },
    "quota_total_turns": {
        "en": (
            "All messages of today are used, and your organisation had its share. "
            "It goes on at {at} UTC, in {hours} h {minutes} min."
        ),
        "zh": "今天的全部消息额度已用完，贵组织已用完自己的份额。{hours} 小时 {minutes} 分钟后（UTC {at}）可以继续。",
    },
    "quota_total_tokens": {
        "en": (
            "All tokens of today are used, and your organisation had its share. "
            "It goes on at {at} UTC, in {hours} h {minutes} min."
        ),
        "zh": "今天的全部词元额度已用完，贵组织已用完自己的份额。{hours} 小时 {minutes} 分钟后（UTC {at}）可以继续。",
    },
    # ---- /privacy ----
    "privacy_consent_none": {
        "en": "I remember nothing about you past this conversation. To change that: /privacy yes",
        "zh": "我不会记住这次对话以外关于您的任何内容。如需更改：/privacy yes",
    },
    "privacy_consent_given": {
        "en": "You let me remember things about you ({count} so far): see and delete them with /memory. To end that: "
        "/privacy no",
        "zh": "您已允许我记住关于您的内容（目前 {count} 条）：可用 /memory 查看和删除。如需停止：/privacy no",
    },
    "privacy_consent_refused": {
        "en": "You asked me not to remember anything about you, and I do not. To change that: /privacy yes",
        "zh": "您要求我不记住关于您的任何内容，我没有记住。如需更改：/privacy yes",
    },
    "privacy_off": {
        "en": "Remembering people is switched off here: nothing is kept past the conversation.",
        "zh": "这里没有启用记忆功能：对话以外不保留任何内容。",
    },
    "privacy_guest": {
        "en": "You are a guest here: nothing is remembered about guests past the conversation.",
        "zh": "您在这里是访客：对话以外不会记住访客的任何内容。",
    },
    "privacy_yes": {
        "en": "Thank you. I will remember what helps me answer you. See and delete it with /memory; end it with /privacy no.",
        "zh": "谢谢。我会记住有助于回答您的内容。可用 /memory 查看和删除，用 /privacy no 停止。",
    },
    "privacy_no": {
        "en": "Understood. I remember nothing about you from now on; {count} entries were deleted.",
        "zh": "明白。从现在起我不再记住关于您的内容，已删除 {count} 条。",
    },
    "privacy_usage": {
        "en": "Send /privacy to see what is stored, /privacy yes to be remembered, /privacy no not to be.",
        "zh": "发送 /privacy 查看保存了什么，/privacy yes 允许记住，/privacy no 不允许记住。",
    },
    # ---- /memory ----
    "memory_list": {
        "en": "What I remember about you:\n\n{entries}\n\nForget one: /memory forget NUMBER. Add one: /memory add TEXT. "
        "Forget all: /memory forget all.",
        "zh": "我记住的关于您的内容：\n\n{entries}\n\n删除一条：/memory forget 编号。添加一条：/memory add 内容。"
        "全部删除：/memory forget all。",
    },
    "memory_empty": {
        "en": "I remember nothing about you yet. Tell me something with: /memory add TEXT",
        "zh": "我还没有记住关于您的内容。可以这样告诉我：/memory add 内容",
    },
    "memory_added": {"en": "I will remember: {text}", "zh": "我会记住：{text}"},
    "memory_known": {"en": "I knew that already: {text}", "zh": "这个我已经记住了：{text}"},
    "memory_corrected": {"en": "I corrected what I remembered: {text}", "zh": "我已更正所记住的内容：{text}"},
    "memory_too_long": {
        "en": "That is too long to remember: up to {limit} characters, please.",
        "zh": "内容太长，无法记住：请不超过 {limit} 个字符。",
    },
    "memory_full": {
        "en": "I remember {limit} things about you already. Please let me forget some first: /memory forget NUMBER",
        "zh": "我已经记住了 {limit} 条关于您的内容。请先删除一些：/memory forget 编号",
    },
    "memory_forgotten": {"en": "Forgotten: {text}", "zh": "已忘记：{text}"},
    "memory_forgot_all": {"en": "Forgotten, all {count} of them.", "zh": "已全部忘记，共 {count} 条。"},
    "memory_no_such": {
        "en": "There is no number {given}. See the numbers with /memory.",
        "zh": "没有编号 {given}。用 /memory 查看编号。",
    },
    "memory_usage": {
        "en": "Send /memory, /memory add TEXT, /memory forget NUMBER or /memory forget all.",
        "zh": "请发送 /memory、/memory add 内容、/memory forget 编号 或 /memory forget all。",
    },
    # ---- /link ----
    "link_code": {
        "en": "Type this within {minutes} minutes in the other messenger, in your private chat with me:\n\n"
        "/link {code}\n\nGive the code to nobody: whoever types it becomes you.",
        "zh": "请在 {minutes} 分钟内，在另一个通讯软件中与我的私聊里输入：\n\n/link {code}\n\n"
        "不要把代码告诉任何人：谁输入它，谁就成为您。",
    },
    "link_confirm": {
        "en": "This code was made by “{name}” ({channels}). Whoever that is will see what I remember about you and speak "
        "for you. Only if that is you, send:\n\n/link {code} yes",
        "zh": "这个代码由“{name}”（{channels}）生成。对方将看到我记住的关于您的内容，并能以您的身份说话。"
        "只有当那就是您本人时，才发送：\n\n/link {code} yes",
    },
    "linked": {
        "en": "Done: you are one person to me now, here and in {channels}.",
        "zh": "完成：现在您在这里和 {channels} 对我来说是同一个人。",
    },
    "link_refused": {
        "en": "That code does not work: it is wrong, used, expired, or made in this very messenger. Send /link in the "
        "other messenger to get a new one.",
        "zh": "这个代码无效：它有误、已使用、已过期，或就是在这个通讯软件中生成的。请在另一个通讯软件中发送 /link 获取新代码。",
    },
    # ---- /approve ----
    "approve_usage": {
        "en": "Send /approve CODE, or /approve CODE guest for somebody who is only passing through.",
        "zh": "请发送 /approve 代码；如果对方只是访客，请发送 /approve 代码 guest。",
    },
    "approve_not_you": {
        "en": "Only an administrator may do that.",
        "zh": "只有管理员可以这样做。",
    },
    "approved": {
        "en": "They may talk to me now. Ask them to write again.",
        "zh": "对方现在可以和我对话了。请让对方再发一次消息。",
    },
    "approve_unknown": {
        "en": "No one waits with that code, or it has expired. They get a new one when they write again.",
        "zh": "没有人在等待这个代码，或者它已过期。对方再次发消息时会得到新代码。",
    },
}

KINDS: Final[dict[str, dict[str, str]]] = {
    "name": {"en": "Call you", "zh": "称呼您"},
    "tone": {"en": "Tone", "zh": "语气"},
    "length": {"en": "Length", "zh": "长度"},
    "format": {"en": "Format", "zh": "格式"},
    "never": {"en": "Never", "zh": "绝不"},
    "interest": {"en": "Interested in", "zh": "感兴趣"},
    "memory": {"en": "Fact", "zh": "事实"},
    "told": {"en": "you told me", "zh": "您告诉我的"},
    "learned": {"en": "from what you wrote", "zh": "从您的话中得知"},
}
