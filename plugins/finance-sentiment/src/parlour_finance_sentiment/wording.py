"""What the skill says, in English and Chinese."""

from collections.abc import Mapping
from typing import Final

ADVICE: Final[Mapping[str, str]] = {
    "en": "_What I tell is what news say, counted. It is no investment advice._\n\n",
    "zh": "_我只统计新闻说了什么，不构成投资建议。_\n\n",
}

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "help": {
        "en": (
            "`/finance watch NVDA` – tell this conversation when bad news about it surges (a ticker, "
            "a name, a topic, or `all`)\n"
            "`/finance unwatch NVDA` – stop telling\n"
            "`/finance trend NVDA` – how its news changed, day by day\n"
            "`/finance why NVDA` – what is behind its last surge, or its mood today\n"
            "`/finance ask …` – a question, answered from the news that I read\n"
            "`/finance read …` – paste news to have it judged and counted\n"
            "`/finance ack NVDA` – the surge is seen: say no more about it\n"
            "`/finance label positive|neutral|negative TEXT` – teach me (administrators)\n"
            "`/finance retrain` – learn from the labels (administrators)\n"
            "`/finance sources` – where news comes from, and how each source did"
        ),
        "zh": (
            "`/finance watch 英伟达` – 负面新闻激增时在此对话提醒（代码、名称、主题或 `all`）\n"
            "`/finance unwatch 英伟达` – 不再提醒\n"
            "`/finance trend 英伟达` – 新闻情绪的每日变化\n"
            "`/finance why 英伟达` – 最近一次激增或今日情绪的原因\n"
            "`/finance ask …` – 根据我读到的新闻回答问题\n"
            "`/finance read …` – 粘贴新闻，由我判断并计入\n"
            "`/finance ack 英伟达` – 已知悉本次激增，不再提及\n"
            "`/finance label positive|neutral|negative 文本` – 教我（管理员）\n"
            "`/finance retrain` – 用标注重新训练（管理员）\n"
            "`/finance sources` – 新闻来源及其状态"
        ),
    },
    "unknown": {
        "en": (
            "I know no company or topic {said!r}.{hint} An administrator can add companies in the setting `companies`."
        ),
        "zh": "我不认识公司或主题“{said}”。{hint}管理员可在设置 `companies` 中添加公司。",
    },
    "near": {
        "en": " Did you mean {near}?",
        "zh": "您是指 {near} 吗？",
    },
    "watching": {
        "en": (
            "I tell this conversation when bad news about {subject} surges beyond chance: at most {rate:g} "
            "false alarms a year."
        ),
        "zh": "当 {subject} 的负面新闻激增、超出偶然时，我会在此对话提醒：每年误报至多 {rate:g} 次。",
    },
    "learning": {
        "en": " First I learn what is usual: until about {day:%Y-%m-%d} no alarm can come.",
        "zh": "我先要了解平常的情况：约在 {day:%Y-%m-%d} 之前不会报警。",
    },
    "unwatched": {
        "en": "This conversation is told no more about {subject}.",
        "zh": "此对话不再收到 {subject} 的提醒。",
    },
    "no_sources": {
        "en": (
            "No source is set. An administrator sets them: `parlour skill configure finance-sentiment "
            "sources='[\"https://…\"]'`"
        ),
        "zh": ("尚未设置来源。管理员可设置：`parlour skill configure finance-sentiment sources='[\"https://…\"]'`"),
    },
    "source_well": {
        "en": "- {url}: {items} items, read {at} UTC",
        "zh": "- {url}：{items} 条，读取于 {at} UTC",
    },
    "source_ill": {
        "en": "- {url}: {problem}",
        "zh": "- {url}：{problem}",
    },
    "source_new": {
        "en": "- {url}: not read yet",
        "zh": "- {url}：尚未读取",
    },
    "nothing": {
        "en": "I have read no news about {subject} in the last {days} days.",
        "zh": "最近 {days} 天我没有读到关于 {subject} 的新闻。",
    },
    "trend_title": {
        "en": "{subject}: news of {days} days",
        "zh": "{subject}：{days} 天的新闻",
    },
    "trend": {
        "en": (
            "{subject}, last {days} days: {negative} negative, {neutral} neutral, {positive} positive. "
            "Mood {mood:+.2f} (from -1 to 1), {change:+.2f} against the {days} days before."
        ),
        "zh": (
            "{subject}，最近 {days} 天：负面 {negative}，中性 {neutral}，正面 {positive}。情绪 {mood:+.2f}（"
            "-1 至 1），较前 {days} 天 {change:+.2f}。"
        ),
    },
    "alarm": {
        "en": (
            "**Bad news about {subject} surges**: {count} negative items in {hours:g} h, {expected:.1f} "
            "are usual then. By chance alone this comes up less than once in {odds:,} such spans (conditional "
            "test of two rates)."
        ),
        "zh": (
            "**{subject} 的负面新闻激增**：{hours:g} 小时内 {count} 条，平常约 {expected:.1f} 条。若"
            "纯属偶然，约 {odds:,} 个同样时段才会出现一次（双率条件检验）。"
        ),
    },
    "found_at": {
        "en": " Found at {at} UTC, held back by the quiet hours.",
        "zh": "发现于 {at} UTC，因静默时段推迟发送。",
    },
    "behind": {
        "en": "Behind it:",
        "zh": "相关新闻：",
    },
    "chart_title": {
        "en": "Negative items on {subject}, by hour",
        "zh": "{subject} 每小时负面新闻",
    },
    "negative": {
        "en": "negative",
        "zh": "负面",
    },
    "neutral": {
        "en": "neutral",
        "zh": "中性",
    },
    "positive": {
        "en": "positive",
        "zh": "正面",
    },
    "ack_hint": {
        "en": "Seen it? `/finance ack {subject}` – more: `/finance why {subject}`",
        "zh": "已知悉？`/finance ack {subject}`，详情：`/finance why {subject}`",
    },
    "ack_button": {
        "en": "Seen",
        "zh": "已知悉",
    },
    "why_button": {
        "en": "Why?",
        "zh": "为什么？",
    },
    "calm": {
        "en": "News about {subject} is as usual again.",
        "zh": "{subject} 的新闻已恢复平常。",
    },
    "acknowledged": {
        "en": "Noted: no more about this surge of {subject}.",
        "zh": "已记录：不再提及 {subject} 的本次激增。",
    },
    "no_surge": {
        "en": "There is no open surge of {subject}.",
        "zh": "{subject} 目前没有激增。",
    },
    "why_today": {
        "en": "No surge of {subject} lately. What weighs most in its mood of the last two days:",
        "zh": "{subject} 近期没有激增。近两天影响情绪最大的新闻：",
    },
    "why_surge": {
        "en": (
            "Surge of {subject}, found {at} UTC: {count} negative items in {hours:g} h where {expected:.1f} "
            "are usual ({days} days compared, p = {chance:.1e})."
        ),
        "zh": (
            "{subject} 的激增，发现于 {at} UTC：{hours:g} 小时内 {count} 条负面新闻，平常 {expected:.1f} "
            "条（对比 {days} 天，p = {chance:.1e}）。"
        ),
    },
    "say_text": {
        "en": "Put the news behind it: `/finance read Profit fell 20 %`",
        "zh": "请附上新闻文本：`/finance read 净利润下降20%`",
    },
    "say_question": {
        "en": "Put the question behind it: `/finance ask Why is Tesla in the news?`",
        "zh": "请附上问题：`/finance ask 特斯拉为什么上新闻？`",
    },
    "repeated": {
        "en": "{number} were there already and are not counted again.",
        "zh": "其中 {number} 条此前已有，不再计入。",
    },
    "full": {
        "en": "{number} found no room: a day holds {most:,} items.",
        "zh": "{number} 条未能收入：每天最多 {most:,} 条。",
    },
    "none_known": {
        "en": "I have read nothing about that in the last {days} days.",
        "zh": "最近 {days} 天我没有读到相关新闻。",
    },
    "model_away": {
        "en": "The language model cannot be asked now. These are the news that fit:",
        "zh": "语言模型暂时无法使用。相关新闻如下：",
    },
    "admins": {
        "en": "Only administrators can do that.",
        "zh": "只有管理员可以这样做。",
    },
    "labelled": {
        "en": "Noted: {number} labels now. `/finance retrain` learns from them.",
        "zh": "已记录：现有 {number} 条标注。`/finance retrain` 用其训练。",
    },
    "say_label": {
        "en": "Write: `/finance label negative Profit fell 20 %`",
        "zh": "请写：`/finance label negative 净利润下降20%`",
    },
    "learns_later": {
        "en": "There are many labels: I learn from them with the next poll, within half an hour.",
        "zh": "标注较多：我会在半小时内的下一次轮询时训练。",
    },
    "retrained": {
        "en": "Learnt {language} from {number} labels.",
        "zh": "已用 {number} 条标注训练 {language}。",
    },
    "too_few": {
        "en": "{language}: {problem} What was there stays.",
        "zh": "{language}：{problem} 保留原有模型。",
    },
    "no_labels": {
        "en": (
            "There are no labels yet. Add some with `/finance label …` or `parlour skill import finance-sentiment "
            "labels FILE`."
        ),
        "zh": ("还没有标注。用 `/finance label …` 或 `parlour skill import finance-sentiment labels 文件` 添加。"),
    },
}


def say(name: str, language: str, /, **values: object) -> str:
    """The text in the person's language, English where there is none."""
    texts = TEXTS[name]
    return texts.get(language, texts["en"]).format(**values)
