"""How host and skill write to each other: MessagePack (https://msgpack.org), each message behind its length.

A codec of our own, since nothing but the standard library may come along into a skill's process. It takes the plain
types alone, no extensions: nothing that is read can become code.
"""

import struct
from collections.abc import Callable  # noqa: TC003 (nothing is gained by hiding it)
from typing import Any, Final

# The length that stands before each message, in bytes.
HEAD: Final = 4
LARGEST_FRAME_BYTES: Final = 10_000_000
DEEPEST: Final = 32


class BadFrame(Exception):
    """What came is no message: too large, cut short, or not MessagePack of plain types."""


def frame(message: dict[str, Any]) -> bytes:
    """The message as it goes over the socket. Raises `BadFrame` for what cannot be sent."""
    made = pack(message)
    if len(made) > LARGEST_FRAME_BYTES:
        raise BadFrame(f"A message of {len(made):,} bytes is too large; the most is {LARGEST_FRAME_BYTES:,}.")
    return len(made).to_bytes(HEAD, "big") + made


def length_of(head: bytes) -> int:
    """How long the message behind `head` is. Raises `BadFrame` when nothing that long is taken."""
    length = int.from_bytes(head, "big")
    if not 0 < length <= LARGEST_FRAME_BYTES:
        raise BadFrame(f"A message announces {length:,} bytes; the most is {LARGEST_FRAME_BYTES:,}.")
    return length


def message_of(body: bytes) -> dict[str, Any]:
    """The message in a frame's body. Raises `BadFrame`."""
    message = unpack(body)
    if not isinstance(message, dict):
        raise BadFrame("A message is not a map.")
    return message


def pack(value: object) -> bytes:
    """The value as MessagePack. Raises `BadFrame` for other than None, bool, int, float, str, bytes, list and dict."""
    made = bytearray()
    _pack(value, made, DEEPEST)
    return bytes(made)


def unpack(data: bytes) -> Any:  # noqa: ANN401 (whatever was packed)
    """The value that `data` holds, and nothing behind it. Raises `BadFrame`."""
    reader = _Reader(data)
    try:
        value = reader.value(DEEPEST)
    except (struct.error, UnicodeDecodeError, IndexError):
        raise BadFrame("A message is cut short or not MessagePack.") from None
    if reader.place != len(data):
        raise BadFrame("A message has something behind it.")
    return value


# ---- writing ----------------------------------------------------------------------------------------------------


def _pack(value: object, made: bytearray, depth: int) -> None:
    if depth == 0:
        raise BadFrame(f"A value is nested deeper than {DEEPEST}.")
    if value is None:
        made.append(0xC0)
    elif isinstance(value, bool):
        made.append(0xC3 if value else 0xC2)
    elif isinstance(value, int):
        made += _packed_int(value)
    elif isinstance(value, float):
        made += struct.pack(">Bd", 0xCB, value)
    elif isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        made += _sized(len(text), fix=(0xA0, 32), codes=(0xD9, 0xDA, 0xDB)) + text
    elif isinstance(value, bytes | bytearray):
        made += _sized(len(value), fix=None, codes=(0xC4, 0xC5, 0xC6)) + value
    else:
        _pack_many(value, made, depth - 1)


def _pack_many(value: object, made: bytearray, depth: int) -> None:
    if isinstance(value, list | tuple):
        made += _sized(len(value), fix=(0x90, 16), codes=(None, 0xDC, 0xDD))
        for one in value:
            _pack(one, made, depth)
    elif isinstance(value, dict):
        made += _sized(len(value), fix=(0x80, 16), codes=(None, 0xDE, 0xDF))
        for name, one in value.items():
            if not isinstance(name, str):
                raise BadFrame("A map has a key that is no text.")
            _pack(name, made, depth)
            _pack(one, made, depth)
    else:
        raise BadFrame(f"{type(value).__name__} cannot be sent. Use None, bool, int, float, str, bytes, list, dict.")


def _packed_int(value: int) -> bytes:
    if -0x20 <= value < 0x80:  # noqa: PLR2004 (the format's own)
        return struct.pack(">b", value) if value < 0 else bytes([value])
    if not -(2**63) <= value < 2**64:
        raise BadFrame("A number is larger than 64 bits.")
    return struct.pack(">BQ", 0xCF, value) if value > 0 else struct.pack(">Bq", 0xD3, value)


def _sized(length: int, *, fix: tuple[int, int] | None, codes: tuple[int | None, int, int]) -> bytes:
    """The head of something that long: in one byte where there is a short form, else in the smallest that holds it."""
    small, middle, large = codes
    if fix is not None and length < fix[1]:
        return bytes([fix[0] | length])
    if small is not None and length < 2**8:
        return struct.pack(">BB", small, length)
    if length < 2**16:
        return struct.pack(">BH", middle, length)
    return struct.pack(">BI", large, length)


# ---- reading ----------------------------------------------------------------------------------------------------

_NUMBERS: Final = {
    0xCA: ">f", 0xCB: ">d",
    0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_CONSTANTS: Final = {0xC0: None, 0xC2: False, 0xC3: True}
_LENGTHS: Final = {
    0xC4: (">B", "bytes"), 0xC5: (">H", "bytes"), 0xC6: (">I", "bytes"),
    0xD9: (">B", "str"), 0xDA: (">H", "str"), 0xDB: (">I", "str"),
    0xDC: (">H", "list"), 0xDD: (">I", "list"),
    0xDE: (">H", "dict"), 0xDF: (">I", "dict"),
}  # fmt: skip


class _Reader:
    """Reads values from bytes, never more than there are."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0
        self._makers: dict[str, Callable[[int, int], Any]] = {
            "bytes": lambda length, _: self._take(length),
            # What a person wrote may hold lone surrogates.
            "str": lambda length, _: self._take(length).decode("utf-8", "surrogatepass"),
            "list": self._list,
            "dict": self._dict,
        }

    def value(self, depth: int) -> Any:  # noqa: ANN401 (whatever was packed)
        """The next value."""
        if depth == 0:
            raise BadFrame(f"A message is nested deeper than {DEEPEST}.")
        code = self._take(1)[0]
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if code in _NUMBERS:
            return self._number(_NUMBERS[code])
        if code in _LENGTHS:
            form, kind = _LENGTHS[code]
            return self._makers[kind](int(self._number(form)), depth - 1)
        return self._short(code, depth)

    def _short(self, code: int, depth: int) -> Any:  # noqa: ANN401
        """What keeps its value or its length in the code itself."""
        if code < 0x80:  # noqa: PLR2004 (the format's own)
            return code
        if code >= 0xE0:  # noqa: PLR2004
            return code - 0x100
        if code >= 0xC0:  # noqa: PLR2004
            raise BadFrame("A message holds an extension type; there are none.")
        kind = "str" if code >= 0xA0 else "list" if code >= 0x90 else "dict"  # noqa: PLR2004
        return self._makers[kind](code & (0x1F if kind == "str" else 0x0F), depth - 1)

    def _number(self, form: str) -> Any:  # noqa: ANN401 (int or float)
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, length: int) -> bytes:
        end = self.place + length
        if end > len(self._data):
            raise BadFrame("A message is cut short.")
        taken = self._data[self.place : end]
        self.place = end
        return taken

    def _list(self, length: int, depth: int) -> list[Any]:
        self._expect(length)
        return [self.value(depth) for _ in range(length)]

    def _dict(self, length: int, depth: int) -> dict[str, Any]:
        self._expect(2 * length)
        made: dict[str, Any] = {}
        for _ in range(length):
            name = self.value(depth)
            if not isinstance(name, str):
                raise BadFrame("A map has a key that is no text.")
            made[name] = self.value(depth)
        return made

    def _expect(self, least: int) -> None:
        """Refuse a count that the bytes left cannot hold before any room is made for it."""
        if least > len(self._data) - self.place:
            raise BadFrame("A message is cut short.")
