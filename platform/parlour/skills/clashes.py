"""Commands that two skills have: people reach only one of them, and whoever installs the other is told before."""

from collections.abc import Iterable
from dataclasses import dataclass

from parlour.sdk.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Clash:
    """A command that another skill has too. `winner` has it where both are enabled: the first of them by name."""

    command: str
    other: str
    winner: str

    def __str__(self) -> str:
        return f"/{self.command} is a command of {self.other} too; where both are enabled, {self.winner} has it"


def clashes(manifest: Manifest, others: Iterable[Manifest]) -> tuple[Clash, ...]:
    """The commands of a skill that others have too, an earlier version of itself left out."""
    its = {entry.name for entry in manifest.of_kind("command")}
    return tuple(
        Clash(entry.name, other.name, min(manifest.name, other.name))
        for other in others
        if other.name != manifest.name
        for entry in other.of_kind("command")
        if entry.name in its
    )
