"""Reading the Slack manifests: maps, lists of words, lists of maps. Anything else in them is an error."""

import re
from pathlib import Path
from typing import Any

_LINE = re.compile(r"^(?P<indent> *)(?P<item>- )?(?:(?P<key>[a-z_]+):(?: (?P<value>.+))?|(?P<word>[^\s:].*))$")


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest as Slack would read it. Raises `ValueError` at a line that is more than this subset of YAML."""
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if line.split("#")[0].strip() or '"#' in line
    ]
    found, left = _block(lines, 0)
    if left or not isinstance(found, dict):
        raise ValueError(f"{path}: not understood from {left[:1]}")
    return found


def _block(lines: list[str], indent: int) -> tuple[Any, list[str]]:
    """The map or list at this indent, and the lines after it."""
    block: Any = [] if lines and lines[0].startswith(" " * indent + "- ") else {}
    while lines and _indent(lines[0]) == indent and lines[0][indent:].startswith("- ") == isinstance(block, list):
        match = _LINE.match(lines[0])
        if match is None:
            raise ValueError(f"not understood: {lines[0]!r}")
        if match["item"] and match["key"]:
            # A map as an item: its first key stands behind the dash.
            entry, lines = _block([" " * (indent + 2) + lines[0][indent + 2 :], *lines[1:]], indent + 2)
            block.append(entry)
        elif match["item"]:
            block.append(match["word"])
            lines = lines[1:]
        elif match["key"] and match["value"]:
            block[match["key"]] = _value(match["value"])
            lines = lines[1:]
        elif match["key"]:
            block[match["key"]], lines = _block(lines[1:], _indent(lines[1]))
        else:
            raise ValueError(f"not understood: {lines[0]!r}")
    return block, lines


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _value(text: str) -> Any:
    if text in {"true", "false"}:
        return text == "true"
    if text == "[]":
        return []
    if ": " in text or " #" in text:
        raise ValueError(f"not a plain value: {text!r}")
    return text.strip('"')
