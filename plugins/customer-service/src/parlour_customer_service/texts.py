"""What the skill says to people, in English and in Chinese."""

from typing import Final

_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "unknown": (
        "I do not know that: nothing in the documents I have answers it.",
        "这个我不知道：现有资料里没有答案。",
    ),
    "which": ("Which of these do you mean?", "您指的是哪一个？"),
    "none_of_these": ("None of these", "都不是"),
    "agent": ("Talk to a person", "转人工"),
    "pass_on": ("Pass my question on, without my name", "匿名转交我的问题"),
    "passed_on": (
        "Your question is passed on, without your name. It is kept for {days} days at most.",
        "您的问题已匿名转交，最多保留{days}天。",
    ),
    "nothing_to_pass_on": ("There is no question of yours that I could pass on.", "没有可以转交的问题。"),
    "sources": ("Sources:", "来源："),
    "approved": ("an approved answer", "经审核的回答"),
    "waiting": ("A person will answer you here. Before you: {before}.", "人工客服会在这里回复您。前面还有{before}位。"),
    "no_agents": (
        "Nobody can take over here: no place for the people who answer is set up.",
        "这里暂时无法转人工：尚未设置人工客服。",
    ),
    "satisfied": ("Was this helpful?", "对您有帮助吗？"),
    "good": ("Yes", "有帮助"),
    "bad": ("No", "没有帮助"),
    "thanks_good": ("Thank you! Glad to have helped.", "谢谢！很高兴能帮到您。"),
    "thanks_bad": ("Thank you for saying so. A person can help further.", "谢谢您的反馈。人工客服可以继续帮您。"),
    "rate_how": ("Write /rate good or /rate bad.", "请输入 /rate good 或 /rate bad。"),
    "ask_what": ("What would you like to know? For example: /ask {example}", "您想问什么？例如：/ask {example}"),
    "ask_example": ("How long can I return goods?", "退货期限是多久？"),
    "staff_only": ("Only admins can do this.", "只有管理员可以执行此操作。"),
    "service_how": (
        (
            "/service learn QUESTION => ANSWER, or pasted JSON lines or CSV with question and answer\n"
            "/service review · approve ID · approve all · reject ID · edit ID ANSWER\n"
            "/service open · answer ID ANSWER · drop ID\n"
            "/service learned · forget ID\n"
            "/service report [DAYS]"
        ),
        (
            "/service learn 问题 => 答案，或粘贴含 question 和 answer 的 JSONL 或 CSV\n"
            "/service review（审核）· approve 编号 · approve all · reject 编号 · edit 编号 答案\n"
            "/service open（未解答的问题）· answer 编号 答案 · drop 编号\n"
            "/service learned（已学会的）· forget 编号\n"
            "/service report [天数]（报告）"
        ),
    ),
    "proposed": (
        "{count} taken into the queue. Look at them with /service review",
        "{count}条已进入待审核队列。用 /service review 查看",
    ),
    "known_already": ("{count} were there already.", "{count}条已经存在。"),
    "left_out": ("Left out, no question with an answer: lines {what}", "未收录（不是问答）：第{what}行"),
    "not_utf8": (
        "The file is not text in UTF-8. Save it so, and import it again.",
        "文件不是UTF-8文本，请转换后再导入。",
    ),
    "nothing_to_review": ("Nothing waits for approval.", "没有待审核的内容。"),
    "review_one": ("**{id}** {question}\n\n{answer}", "**{id}** {question}\n\n{answer}"),
    "reviews_left": ("{count} wait for approval.", "{count}条待审核。"),
    "approve": ("Approve", "通过"),
    "reject": ("Reject", "拒绝"),
    "approved_count": ("{count} approved; I answer with them from now on.", "已通过{count}条，今后将据此回答。"),
    "rejected": ("{id} is rejected.", "{id} 已拒绝。"),
    "edited": ("{id} is changed; it waits for approval.", "{id} 已修改，等待审核。"),
    "no_such": ("There is no {id} here.", "这里没有 {id}。"),
    "answered": ("Learned. I answer {id} so from now on.", "已学会，今后将这样回答 {id}。"),
    "dropped": ("{id} is dropped.", "{id} 已删除。"),
    "forgotten": ("{id} is forgotten.", "{id} 已忘记。"),
    "missed": (
        "Words of questions that could not be answered, each of at least five people: {words}",
        "未能解答的问题中的词（每个至少五人提到）：{words}",
    ),
    "nothing_open": ("No question is open.", "没有未解答的问题。"),
    "nothing_learned": ("Nothing is learned yet.", "还没有学会任何内容。"),
    "open_title": ("Questions passed on because they could not be answered:", "未能解答而转交的问题："),
    "full": (
        "The shelf is full ({most}). Approve, reject or forget some first.",
        "已满（{most}条）。请先审核、拒绝或忘记一些。",
    ),
    "report_title": ("Customer service, last {days} days", "客服报告，最近{days}天"),
    "report": (
        (
            "Asked {asked} · answered {answered} · asked back {clarified} · not known {unknown} · "
            "handed over {handed}\n\n"
            "Deflection (asked and not handed over): {deflection} · rated helpful: {rating} of {rated}"
        ),
        (
            "提问 {asked} · 已回答 {answered} · 反问 {clarified} · 不知道 {unknown} · 转人工 {handed}\n\n"
            "自助解决率（未转人工）：{deflection} · 评价有帮助：{rating}，共{rated}次评价"
        ),
    ),
    "report_none": ("Nobody has asked anything in the last {days} days.", "最近{days}天没有人提问。"),
    "report_days": ("{given} is no number of days. Write 1 to 90.", "{given} 不是天数。请输入1到90。"),
    "series_answered": ("answered", "已回答"),
    "series_clarified": ("asked back", "反问"),
    "series_unknown": ("not known", "不知道"),
    "series_handed": ("handed over", "转人工"),
    "more": ("{count} more.", "还有{count}条。"),
}


def say(key: str, language: str, **values: object) -> str:
    """The text in the person's language; English where it is neither."""
    english, chinese = _TEXTS[key]
    return (chinese if language.startswith("zh") else english).format(**values)
