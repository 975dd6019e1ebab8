"""What processes use: memory and processor time, of whole trees, read from Linux's `/proc`."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of several processes. PSS counts a page shared by n of them as an nth for each; RSS counts it n times."""

    processes: int
    rss_mb: float
    pss_mb: float


def tree(roots: Iterable[int]) -> set[int]:
    """The processes `roots` and all below them that live now."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(folder.name))
        if fields:
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found and _stat(pid):
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def memory(roots: Iterable[int]) -> Memory:
    """What the processes below `roots` hold in memory, in MB of 10⁶ bytes."""
    pids = tree(roots)
    rss = pss = 0
    for pid in pids:
        sizes = _rollup(pid)
        rss += sizes.get("Rss", 0)
        pss += sizes.get("Pss", 0)
    return Memory(len(pids), rss * 1_024 / 1e6, pss * 1_024 / 1e6)


def cpu_seconds(roots: Iterable[int]) -> float:
    """Processor time that the processes below `roots` have used, in user and system mode."""
    ticks = sum(int(fields[11]) + int(fields[12]) for pid in tree(roots) if (fields := _stat(pid)))
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields of `/proc/PID/stat` behind the name, which may hold spaces and brackets; see proc_pid_stat(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _rollup(pid: int) -> dict[str, int]:
    """Sizes in KiB by name."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    except OSError:
        return {}
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
