"""Everything a skill's author needs. Standard library only; nothing else of Parlour may be imported by a skill."""

from parlour.sdk.capabilities import (
    Clock,
    Handoff,
    Http,
    Knowledge,
    Model,
    Notify,
    Passage,
    Response,
    Secrets,
    SharedStore,
    Turn,
    UserStore,
    Vectors,
)
from parlour.sdk.errors import (
    CapabilityError,
    Invalid,
    NotAvailable,
    NotGranted,
    SkillMistake,
    TooMuch,
    TurnOver,
)
from parlour.sdk.replies import Button, Buttons, Chart, File, Image, Reply, Series, Text
from parlour.sdk.schema import Secret
from parlour.sdk.skill import Skill

__all__ = [
    "Button",
    "Buttons",
    "CapabilityError",
    "Chart",
    "Clock",
    "File",
    "Handoff",
    "Http",
    "Image",
    "Invalid",
    "Knowledge",
    "Model",
    "NotAvailable",
    "NotGranted",
    "Notify",
    "Passage",
    "Reply",
    "Response",
    "Secret",
    "Secrets",
    "Series",
    "SharedStore",
    "Skill",
    "SkillMistake",
    "Text",
    "TooMuch",
    "Turn",
    "TurnOver",
    "UserStore",
    "Vectors",
]
