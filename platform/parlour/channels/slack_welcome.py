"""What a person sees who opens the assistant's pane, before any model has been asked."""

from typing import Any, Final

from parlour.channels.slack_text import fallback
from parlour.channels.slack_wording import say
from parlour.channels.slack_workspaces import SlackWorkspace

_PROMPTS: Final = (
    ("prompt_help", "prompt_help"),
    ("prompt_summary", "prompt_summary_text"),
    ("prompt_draft", "prompt_draft_text"),
)


async def welcome(workspace: SlackWorkspace, thread: dict[str, Any]) -> None:
    """Suggest prompts and say hello in a thread that was just opened. Raises what `SlackApi.call` raises."""
    place = {"channel_id": str(thread["channel_id"]), "thread_ts": str(thread["thread_ts"])}
    person = await workspace.person(str(thread.get("user_id") or ""))
    prompts = [
        {"title": say(title, person.language), "message": say(text, person.language)} for title, text in _PROMPTS
    ]
    await workspace.api.call(
        "assistant.threads.setSuggestedPrompts",
        is_repeatable=True,
        **place,
        title=say("prompts_title", person.language),
        prompts=prompts,
    )
    greeting = say("greeting", person.language)
    await workspace.api.call(
        "chat.postMessage",
        is_repeatable=False,
        channel=place["channel_id"],
        thread_ts=place["thread_ts"],
        text=fallback(greeting),
        blocks=[{"type": "markdown", "text": greeting}],
        # Marked as ours, so that nobody looking for a lost draft takes it for one.
        metadata={"event_type": "parlour_greeting", "event_payload": {}},
    )
