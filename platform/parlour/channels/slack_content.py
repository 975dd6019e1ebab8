"""What a Slack message of ours consists of: text, blocks, buttons, and the mark by which it is found again."""

from typing import Any, Final

from parlour.channels.slack_text import NOTHING, clean, fallback
from parlour.channels.slack_wording import say
from parlour.turns.ports import Post

DELIVERY: Final = "parlour_delivery"
DRAFT: Final = "parlour_draft"
FEEDBACK_ACTION: Final = "parlour_feedback"
# Before the number of a button: Slack wants another id for each in a message.
SAYS_ACTION: Final = "parlour_says:"


def text_content(text: str) -> dict[str, Any]:
    """Content of a message that shows cleaned Markdown, with a fallback for notifications."""
    shown = text if text.strip() else NOTHING
    return {"text": fallback(shown), "blocks": [{"type": "markdown", "text": shown}]}


def final_content(post: Post) -> dict[str, Any]:
    """Content of a finished part: the text, and its buttons."""
    content = text_content(clean(post.text))
    content["blocks"] += buttons(post)
    return content


def buttons(post: Post) -> list[dict[str, Any]]:
    """The blocks below a part: the answer's own buttons, then thumbs, where it has them."""
    own = [
        {
            "type": "button",
            "action_id": f"{SAYS_ACTION}{number}",
            "text": {"type": "plain_text", "text": label, "emoji": True},
            # What it says is known to intake by its number.
            "value": str(number),
        }
        for number, label in enumerate(post.buttons)
    ]
    return [*([{"type": "actions", "elements": own}] if own else []), *_feedback(post)]


def _feedback(post: Post) -> list[dict[str, Any]]:
    """The block with thumbs up and down, if this part asks for it."""
    if not post.asks_feedback:
        return []
    buttons: dict[str, Any] = {"type": "feedback_buttons", "action_id": FEEDBACK_ACTION}
    for name, text, value in (("positive_button", "good", "up"), ("negative_button", "bad", "down")):
        buttons[name] = {
            "text": {"type": "plain_text", "text": say(text, post.language)},
            "accessibility_label": say(f"{text}_label", post.language),
            "value": value,
        }
    return [{"type": "context_actions", "elements": [buttons]}]


def mark(event_type: str, name: str, value: str) -> dict[str, Any]:
    """What marks a message as ours. Anyone in the workspace may read it: ids only."""
    return {"metadata": {"event_type": event_type, "event_payload": {name: value}}}


def read_mark(message: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The mark on a message of ours: its event type (empty: none) and payload."""
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload")
    return str(metadata.get("event_type") or ""), payload if isinstance(payload, dict) else {}
