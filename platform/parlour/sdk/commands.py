"""The platform's own commands, the same in every chat."""

from typing import Final

# No skill may have one of these, and no button of a skill says one.
RESERVED_COMMANDS: Final = frozenset({
    "help", "skills", "new", "stop", "retry", "language", "mode", "memory", "privacy", "export", "forgetme", "human",
    "done", "link", "approve",
})  # fmt: skip
