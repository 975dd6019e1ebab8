"""Giving up everything a skill does not need, in its own process, before anything of the skill is loaded.

What the kernel offers is taken, in the order below, and what was had is told to the host. None of it can be undone:
a process may give rights up, never take them back.
"""

import contextlib
import ctypes
import errno
import os
import platform
import resource
import struct
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """What one skill's process may use."""

    memory_bytes: int = 1_000_000_000
    cpu_s: int = 3_600
    open_files: int = 64
    file_bytes: int = 0
    """The largest file that may be written; 0 for none at all."""


def confine(readable: Iterable[str], limits: Limits, *, writable: Iterable[str] = ()) -> dict[str, bool]:
    """Confine this process for good, to reading below `readable` and Python itself; which protections took hold.

    Below `writable` it may make, change and delete files too, as large as the limits say; a skill has no such place.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    _limit(limits)
    return {
        "network": _leave_network(),
        "capabilities": _drop_capabilities(),
        "files": _restrict_files([*readable, *_python_paths()], writable),
        "calls": _filter_calls(),
    }


def _limit(limits: Limits) -> None:
    wanted = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for what, value in wanted.items():
        hard = resource.getrlimit(what)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (least, least))
    with contextlib.suppress(OSError):
        os.nice(5)  # people waiting for other answers come first


# ---- namespaces and capabilities --------------------------------------------------------------------------------

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_CLONE_NEWUSER: Final = 0x1000_0000
_CLONE_NEWNET: Final = 0x4000_0000
_CLONE_NEWIPC: Final = 0x0800_0000
_CAPABILITY_VERSION_3: Final = 0x2008_0522


def _prctl(option: int, value: int, pointer: object = None) -> bool:
    return bool(_LIBC.prctl(option, ctypes.c_ulong(value), pointer, 0, 0) == 0)


def _leave_network() -> bool:
    """Into a network of its own that has no device, as a user of its own that owns nothing."""
    return bool(_LIBC.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC) == 0)


def _drop_capabilities() -> bool:
    """Be nobody special, even where the platform runs as root."""
    header = ctypes.create_string_buffer(struct.pack("<Ii", _CAPABILITY_VERSION_3, 0))
    none = ctypes.create_string_buffer(24)
    return bool(_LIBC.capset(header, none) == 0)


# ---- files: Landlock (https://docs.kernel.org/userspace-api/landlock.html) --------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_QUESTION: Final = 1
_PATH_BENEATH: Final = 1
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
# Remove, make (folders, files, links), move between folders and cut: no devices, pipes or sockets, and nothing is run.
_CHANGE: Final = _WRITE_FILE | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 13 | 1 << 14
_OF_A_FILE: Final = _WRITE_FILE | _READ_FILE | 1 << 14
# All rights that each version of Landlock knows: file rights, then network rights, then scopes.
_FILE_RIGHTS: Final = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 5: 0xFFFF}
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6
_BOTH: Final = 0b11


def _restrict_files(readable: Iterable[str], writable: Iterable[str]) -> bool:
    version = _LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_QUESTION)
    if version < 1:
        return False
    rights = _FILE_RIGHTS[max(known for known in _FILE_RIGHTS if known <= version)]
    attributes = struct.pack("<Q", rights)
    attributes += struct.pack("<Q", _BOTH) if version >= _NETWORK_SINCE else b""
    attributes += struct.pack("<Q", _BOTH) if version >= _SCOPES_SINCE else b""
    ruleset = _LIBC.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
        for path in writable:
            _allow(ruleset, path, (_READ_FILE | _READ_DIR | _CHANGE) & rights)
        _allow(ruleset, "/dev/null", _READ_FILE | _WRITE_FILE)
        return bool(_LIBC.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    """Allow it where it exists; a directory right is none for a file."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not Path(path).is_dir():
            rights &= _OF_A_FILE
        _LIBC.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("<Qi", rights, place), 0)
    finally:
        os.close(place)


def _python_paths() -> Iterator[str]:
    """What Python, its extension modules and numeric libraries read. Nothing of it is anybody's data."""
    paths = sysconfig.get_paths()
    yield from {paths["stdlib"], paths["platstdlib"]}
    yield from ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
    yield from ("/etc/localtime", "/usr/share/zoneinfo", "/dev/urandom", "/dev/random")
    yield from ("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")


# ---- system calls: seccomp --------------------------------------------------------------------------------------

# By processor: its audit number, the calls of which a part is allowed, and those that are not at all.
_SOME = ("clone", "clone3", "socketpair", "tgkill", "prlimit64")
_CALLS: Final = {
    "x86_64": (0xC000_003E, dict(zip(_SOME, (56, 435, 53, 234, 302), strict=True)), (
        59, 322, 57, 58,  # execve, execveat, fork, vfork
        101, 310, 311,  # ptrace, process_vm_readv, process_vm_writev
        41, 42, 49, 50,  # socket, connect, bind, listen
        62, 200, 129, 297, 434, 424, 438,  # kill, tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_*
        165, 166, 155, 161, 308, 272,  # mount, umount2, pivot_root, chroot, setns, unshare
        250, 248, 249, 321, 298, 323,  # keyctl, add_key, request_key, bpf, perf_event_open, userfaultfd
        425, 426, 427,  # io_uring, which does what is refused here without asking
        175, 313, 176, 246, 320, 169, 167, 168,  # modules, kexec, reboot, swap
        29, 68, 64, 240, 304, 303,  # shmget, msgget, semget, mq_open, open_by_handle_at, name_to_handle_at
        # chmod, chown, times and attributes, which Landlock leaves open
        90, 91, 268, 452, 92, 93, 94, 260, 280, 132, 235, 261, 188, 189, 190, 197, 198, 199,
        141, 203, 144, 251, 256, 279,  # priority, affinity and memory of others
    )),
    "aarch64": (0xC000_00B7, dict(zip(_SOME, (220, 435, 199, 131, 261), strict=True)), (
        221, 281, 117, 270, 271, 198, 203, 200, 201, 129, 130, 138, 240, 434, 424, 438, 40, 39, 41, 51, 268, 97,
        219, 217, 218, 280, 241, 282, 425, 426, 427, 105, 273, 106, 104, 294, 142, 224, 225, 194, 186, 190, 180,
        265, 264, 52, 53, 452, 54, 55, 88, 5, 6, 7, 14, 15, 16, 140, 122, 119, 30, 238, 239,
    )),
}  # fmt: skip
_LOAD, _AND, _JUMP_EQUAL, _JUMP_FROM, _JUMP_BITS, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF_0000, 0x8000_0000, 0x0005_0000
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_OTHER_ABI_FROM: Final = 0x4000_0000
_CLONE_THREAD: Final = 0x0001_0000
_SOCK_STREAM, _SOCK_TYPE_BITS = 1, 0xF
_MODE_FILTER: Final = 2


def _filter_calls() -> bool:
    known = _CALLS.get(platform.machine())
    if known is None:
        return False
    program = b"".join(_program(*known))
    code = ctypes.create_string_buffer(program)
    # struct sock_fprog: how many instructions of 8 bytes, and where they stand
    described = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    return _prctl(_PR_SET_SECCOMP, _MODE_FILTER, described)


def _program(architecture: int, some: dict[str, int], never: Iterable[int]) -> Iterator[bytes]:
    """The filter: a call that is not named is allowed, one of another processor's numbering ends the process."""
    no = _ERROR | errno.EPERM
    yield _step(_LOAD, _ARCHITECTURE_AT)
    yield _step(_JUMP_EQUAL, architecture, 1, 0)
    yield _step(_RETURN, _KILL)
    yield _step(_LOAD, _NUMBER_AT)
    yield _step(_JUMP_FROM, _OTHER_ABI_FROM, 0, 1)
    yield _step(_RETURN, no)
    for number in never:
        yield _step(_JUMP_EQUAL, number, 0, 1)
        yield _step(_RETURN, no)
    # Its flags stand in memory, which a filter cannot see. "No such call" makes libc use `clone` for threads.
    yield _step(_JUMP_EQUAL, some["clone3"], 0, 1)
    yield _step(_RETURN, _ERROR | errno.ENOSYS)
    yield from _only(some["clone"], 0, [], _step(_JUMP_BITS, _CLONE_THREAD, 0, 1))
    # A datagram pair could write to any named socket; asyncio's own pair is a stream.
    masked = [_step(_AND, _SOCK_TYPE_BITS)]
    yield from _only(some["socketpair"], 1, masked, _step(_JUMP_EQUAL, _SOCK_STREAM, 0, 1))
    yield from _only(some["tgkill"], 0, [], _step(_JUMP_EQUAL, os.getpid(), 0, 1))
    yield from _only(some["prlimit64"], 0, [], _step(_JUMP_EQUAL, 0, 0, 1))
    yield _step(_RETURN, _ALLOW)


def _only(number: int, argument: int, before: list[bytes], condition: bytes) -> Iterator[bytes]:
    """Allow the call where `condition` holds for the low half of an argument, else refuse it."""
    yield _step(_JUMP_EQUAL, number, 0, 4 + len(before))
    yield _step(_LOAD, _ARGUMENTS_AT + 8 * argument)
    yield from before
    yield condition
    yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, _ERROR | errno.EPERM)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
