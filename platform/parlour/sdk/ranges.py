"""Which versions of this SDK a skill works with: `>=1,<2`."""

import re
from typing import Final

# Raised when a skill written for an older one no longer works; a skill names the range that it was written for.
SDK_VERSION: Final = 1
SDK_RANGE: Final = f">={SDK_VERSION},<{SDK_VERSION + 1}"
_PART: Final = re.compile(r"(>=|<=|==|<|>)\s?(\d{1,4})")


def is_range(text: str) -> bool:
    """Whether it is comparisons with whole numbers, parted by commas."""
    return all(_PART.fullmatch(part.strip()) for part in text.split(","))


def fits(text: str, version: int = SDK_VERSION) -> bool:
    """Whether the version is in the range. Raises `ValueError` for a text that is no range."""
    return all(_holds(part.strip(), version) for part in text.split(","))


def _holds(part: str, version: int) -> bool:
    found = _PART.fullmatch(part)
    if found is None:
        raise ValueError(f"{part!r} is no part of a range. Write for example {SDK_RANGE}")
    limit = int(found[2])
    return {
        ">=": version >= limit,
        "<=": version <= limit,
        "==": version == limit,
        "<": version < limit,
        ">": version > limit,
    }[found[1]]
