"""The overview."""

from typing import Final

TEXTS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "overview_completion": "Tokens written",
        "overview_cut": "There were more turns than this page reads: the newest 5,000 are shown.",
        "overview_error": "Error",
        "overview_errors": "Errors",
        "overview_hour": "Hour",
        "overview_largest": "largest: {value}",
        "overview_latency": "Seconds from message to answer: half are faster (p50), one in a hundred slower (p99)",
        "overview_many": "Times",
        "overview_p50": "p50",
        "overview_p99": "p99",
        "overview_prompt": "Tokens read",
        "overview_running": "Being answered",
        "overview_title": "The last 24 hours",
        "overview_tokens": "Tokens",
        "overview_turns": "Turns",
        "overview_waiting": "Waiting",
    },
    "zh": {
        "overview_completion": "生成的 token",
        "overview_cut": "轮次多于本页读取的数量：显示最新的 5,000 条。",
        "overview_error": "错误",
        "overview_errors": "错误",
        "overview_hour": "小时",
        "overview_largest": "最大值：{value}",
        "overview_latency": "从消息到回答的秒数：一半更快（p50），百分之一更慢（p99）",
        "overview_many": "次数",
        "overview_p50": "p50",
        "overview_p99": "p99",
        "overview_prompt": "读取的 token",
        "overview_running": "正在回答",
        "overview_title": "最近 24 小时",
        "overview_tokens": "Token",
        "overview_turns": "轮次",
        "overview_waiting": "等待中",
    },
}
