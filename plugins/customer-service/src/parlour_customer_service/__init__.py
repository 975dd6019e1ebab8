"""Customer service: answers from the organisation's knowledge, with citations."""

from parlour.sdk import Knowledge, Skill, Turn

skill = Skill("customer-service", "Answers customers from the organisation's knowledge", zh="依据组织的知识回答客户")


@skill.answers("What are your opening hours?", "How do I return what I bought?", "退货期限是多久？")
async def ask(turn: Turn, knowledge: Knowledge) -> str:
    """The passage that answers, with its source."""
    found = await knowledge.search(turn.text, limit=1)
    if not found:
        return "这个我不知道。" if turn.language == "zh" else "I do not know that."
    return f"{found[0].text}\n\n[1] {found[0].source}"
