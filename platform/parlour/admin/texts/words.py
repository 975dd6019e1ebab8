"""The words that tables, rules and checks hold, as people read them: by kind, and by the word that is stored."""

from collections.abc import Mapping
from typing import Final

from parlour.turns.states import PULL_CHANNELS

# English, Chinese.
_WORDS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "account": {
        "active": ("active", "正常"),
        "rejected": ("token rejected", "令牌被拒绝"),
        "removed": ("removed", "已移除"),
    },
    "author": {"user": ("person", "用户"), "assistant": ("assistant", "助手"), "notice": ("notice", "系统通知")},
    "by": {"chat": ("chat", "普通对话")},
    "channel": {
        "slack": ("Slack", "Slack"),
        "telegram": ("Telegram", "Telegram"),
        "terminal": ("Terminal", "终端"),
        "web": ("Web chat", "网页聊天"),
    },
    "class": {
        "attachment": ("files", "文件"),
        "feedback": ("feedback", "反馈"),
        "identity": ("the person", "用户本身"),
        "message": ("messages", "消息"),
        "operational": ("operational data", "运行数据"),
        "profile": ("profiles", "个人资料"),
        "skill-document": ("skills' documents", "技能文档"),
    },
    "consent": {"asked": ("asked", "已询问"), "given": ("given", "已同意"), "refused": ("refused", "已拒绝")},
    "delivery": {
        "drafting": ("drafting", "草稿中"),
        "failed": ("failed", "失败"),
        "pending": ("waiting to be sent", "待发送"),
        "sending": ("being sent", "发送中"),
        "sent": ("sent", "已发送"),
        "unknown": ("to be settled", "待确认"),
    },
    "job": {"done": ("done", "完成"), "failed": ("failed", "失败"), "given_up": ("given up", "已放弃")},
    "part": {
        "broker": ("broker", "消息代理"),
        "channels": ("messengers", "通讯渠道"),
        "database": ("database", "数据库"),
        "engine": ("engine", "引擎"),
        "keys": ("key store", "密钥库"),
    },
    "partword": {
        "down": ("down", "故障"),
        "ok": ("ok", "正常"),
        "slow": ("slow", "缓慢"),
        "starting": ("starting", "启动中"),
    },
    "plot": {
        "answered": ("answered", "已回答"),
        "failed": ("failed", "失败"),
        "other": ("other", "其他"),
        "tokens": ("tokens", "Token"),
    },
    "role": {
        "admin": ("admin", "管理员"),
        "auditor": ("auditor", "审计员"),
        "guest": ("guest", "访客"),
        "member": ("member", "成员"),
        "owner": ("owner", "所有者"),
    },
    "stuck": {
        "delivery": ("delivery", "投递"),
        "job": ("job", "任务"),
        "sender": ("sender", "发送者"),
        "turn": ("turn", "轮次"),
    },
    "sign": {
        "lease_lapsed": ("its worker is gone", "工作进程已消失"),
        "missing": ("nobody sends", "无人发送"),
        "owner_gone": ("its gateway is gone", "网关已消失"),
        "running": ("runs for long", "运行过久"),
        "sending": ("is being sent for long", "发送过久"),
        "unknown": ("to be settled", "待确认"),
        "waiting": ("waits", "等待中"),
    },
    "table": {
        "attachments": ("files", "文件"),
        "feedback": ("thumbs", "评价"),
        "handoffs": ("hand-overs to people", "转人工记录"),
        "messages": ("messages", "消息"),
        "profile_entries": ("things remembered", "记住的条目"),
        "skill_documents": ("skills' documents", "技能文档"),
        "subscriptions": ("subscriptions", "订阅"),
        "turns": ("turns", "轮次"),
        "usage_days": ("use by day", "每日用量"),
        "users": ("people", "用户"),
    },
    "turnstate": {
        "answered": ("answered", "已回答"),
        "dropped": ("dropped", "已放弃"),
        "failed": ("failed", "失败"),
        "merged": ("answered with a later one", "并入后一轮"),
        "queued": ("waiting", "等待中"),
        "refused": ("not taken", "未受理"),
        "replaced": ("asked again", "已重新提问"),
        "running": ("being answered", "回答中"),
        "stopped": ("stopped", "已停止"),
    },
    "userstate": {
        "active": ("active", "正常"),
        "blocked": ("blocked", "已屏蔽"),
        "erased": ("erased", "已删除"),
        "merged": ("linked to another", "已关联到另一用户"),
        "pending": ("waiting to be let in", "待批准"),
    },
}

# What is stored is English as people read it.
_PHRASES: Final[dict[str, dict[str, str]]] = {
    "age": {
        "under 30 days": "不足 30 天",
        "30 to 90 days": "30 至 90 天",
        "90 to 365 days": "90 至 365 天",
        "over 365 days": "超过 365 天",
    },
    "remedy": {
        "Is a worker running, and are there enough? See: parlour turn list --stuck": (
            "工作进程是否在运行、数量是否足够？请查看：parlour turn list --stuck"
        ),
        "See: parlour turn list --stuck, and end one with: parlour turn drop TURN": (
            "请查看：parlour turn list --stuck；用 parlour turn drop TURN 结束其中一轮"
        ),
        "Is a gateway running for that messenger? Its log says what the messenger answers.": (
            "该通讯软件的网关是否在运行？其日志会说明通讯软件的答复。"
        ),
        "Restart the gateway: the next one settles it.": "请重启网关：下一个网关会确认它。",
        "Is a worker running? See: parlour skill info NAME": "工作进程是否在运行？请查看：parlour skill info NAME",
    },
    "right": {
        "approve people": "批准用户",
        "be remembered": "被记住",
        "erase people": "删除用户",
        "export people": "导出用户数据",
        "have an account": "拥有账号",
        "manage holds": "管理法律保留",
        "manage keys": "管理密钥",
        "manage messengers and work": "管理通讯渠道与工作",
        "manage operators": "管理管理人员",
        "manage people": "管理用户",
        "manage retention": "管理保留期限",
        "manage roles": "管理角色",
        "manage skills": "管理技能",
        "open what people wrote": "打开用户内容",
        "read the audit": "查看审计日志",
        "see conversations": "查看会话",
        "see feedback": "查看反馈",
        "see holds": "查看法律保留",
        "see keys": "查看密钥",
        "see messengers and work": "查看通讯渠道与工作",
        "see people": "查看用户",
        "see retention": "查看保留期限",
        "see skills": "查看技能",
        "see the overview": "查看概览",
    },
}

_EVERY: Final = _WORDS | {kind: {word: (word, zh) for word, zh in found.items()} for kind, found in _PHRASES.items()}
TEXTS: Final[dict[str, dict[str, str]]] = {
    language: {f"{kind}_{word}": text[number] for kind, words in _EVERY.items() for word, text in words.items()}
    for number, language in enumerate(("en", "zh"))
}


def word(value: str | None, texts: Mapping[str, str], kind: str) -> str:
    """A word that is stored as the reader's language has it; one that it does not know as it is."""
    return texts.get(f"{kind}_{value}", value) if value is not None else ""


def place(scope: str, texts: Mapping[str, str]) -> str:
    """What a retention rule covers, from how it is stored: `workspace`, `channel:NAME` or `conversation:ID`."""
    kind, _, name = scope.partition(":")
    if kind == "channel":
        return word(name, texts, "channel")
    return f"{texts['list_conversation']} {name}" if name else texts["hold_workspace"]


def bot(channel: str, name: str, texts: Mapping[str, str]) -> str:
    """A bot by its messenger and its name; web chat and terminal are there once and have none."""
    found = word(channel, texts, "channel")
    return found if channel in PULL_CHANNELS else f"{found} · {name}"
