"""Hosts that a skill may reach, as it names them."""

import re
from collections.abc import Sequence
from typing import Final

HOST: Final = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")


def is_named(host: str, hosts: Sequence[str]) -> bool:
    """Whether a host is among those that a skill names; `*.example.org` names all below `example.org`."""
    return any(host == one or (one.startswith("*.") and host.endswith(one[1:])) for one in hosts)
