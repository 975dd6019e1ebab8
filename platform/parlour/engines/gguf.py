"""Reads the header of a GGUF file, and tells a whole chat model from anything else before llama.cpp touches it.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from parlour.engines.errors import ModelFileError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# Values in a block and bytes of a block, by ggml type number (ggml.h, ggml-common.h). An unknown type is not measured.
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
_NOT_CHAT = re.compile(r"(^|-)(bert|clip|t5encoder|wavtokenizer|embedding)|bert")
_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
_MOST_ENTRIES = 1 << 20


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF file says about itself. `least_bytes` is the size below which tensors are missing."""

    architecture: str
    context_tokens: int
    name: str
    kind: str
    parts: int
    least_bytes: int


def check_model(path: Path) -> GgufHeader:
    """The header of a file that holds a whole chat model. Raises `ModelFileError` naming the file and the remedy."""
    header = read_header(path)
    if header.kind not in {"", "model"} or _NOT_CHAT.search(header.architecture):
        kind = header.kind if header.kind not in {"", "model"} else header.architecture
        raise ModelFileError(f"{path} holds no chat model but '{kind}'. Choose one from: parlour model list")
    size = path.stat().st_size
    if size < header.least_bytes:
        raise ModelFileError(
            f"{path} is cut short: {size} of at least {header.least_bytes} bytes. Fetch it again: parlour model pull"
        )
    for missing in (part for part in _parts(path, header.parts) if not part.is_file()):
        raise ModelFileError(f"{missing} is missing, a part of {path.name}. Fetch it beside the others.")
    return header


def read_header(path: Path) -> GgufHeader:
    """What the file says about itself. Raises `ModelFileError` when it is missing, no GGUF or cut in the header."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            if view[:4] != MAGIC:
                raise ModelFileError(f"{path} is not a GGUF file. Choose one from: parlour model list")
            return _Reader(view).header()
    except FileNotFoundError:
        raise ModelFileError(f"No model file {path}. Fetch one with: parlour model pull NAME") from None
    except OSError as error:
        raise ModelFileError(f"Cannot read {path} ({type(error).__name__}). Give a readable GGUF file.") from None
    except (struct.error, ValueError, IndexError, OverflowError):  # an empty file is a ValueError of mmap
        raise ModelFileError(f"{path} is cut short or damaged. Fetch it again: parlour model pull") from None


class _Reader:
    """Walks over a header. Damage shows as `struct.error` or `ValueError`, never as a wild allocation."""

    def __init__(self, view: mmap.mmap) -> None:
        self._view = view
        self._at = 4

    def header(self) -> GgufHeader:
        version = self._number("I")
        if version not in VERSIONS:
            raise ValueError(version)
        tensors, entries = self._number("Q"), self._number("Q")
        if max(tensors, entries) > _MOST_ENTRIES:
            raise ValueError(tensors, entries)
        values = dict(self._entry() for _ in range(entries))
        architecture = str(values.get("general.architecture", ""))
        return GgufHeader(
            architecture=architecture,
            context_tokens=_whole(values.get(f"{architecture}.context_length")),
            name=str(values.get("general.name", "")),
            kind=str(values.get("general.type", "")),
            parts=_whole(values.get("split.count")) or 1,
            least_bytes=self._least_bytes(tensors, _whole(values.get("general.alignment")) or 32),
        )

    def _least_bytes(self, tensors: int, alignment: int) -> int:
        """Where the last tensor ends, from the table of tensors."""
        end = 0
        for _ in range(tensors):
            self._text()
            sizes = [self._number("Q") for _ in range(self._number("I"))]
            kind, offset = self._number("I"), self._number("Q")
            values, per_block = 1, _BLOCKS.get(kind)
            for size in sizes:
                values *= size
            end = max(end, offset + (values // per_block[0] * per_block[1] if per_block else 0))
        return -(-self._at // alignment) * alignment + end

    def _entry(self) -> tuple[str, object]:
        return self._text(), self._value(self._number("I"))

    def _value(self, kind: int) -> object:
        if kind == _STRING:
            return self._text()
        if kind == _ARRAY:
            self._skip_array()
            return None
        if kind not in _SCALARS:
            raise ValueError(kind)
        return self._number(_SCALARS[kind])

    def _skip_array(self) -> None:
        """Step over a list; none is needed here, and the vocabulary is large."""
        kind, count = self._number("I"), self._number("Q")
        if count > len(self._view):
            raise ValueError(count)
        if kind in _SCALARS:
            self._at += struct.calcsize(_SCALARS[kind]) * count
            return
        for _ in range(count):
            if kind == _STRING:
                self._skip_text()
            else:
                self._value(kind)

    def _skip_text(self) -> None:
        self._at += 8 + struct.unpack_from("<Q", self._view, self._at)[0]

    def _text(self) -> str:
        size = self._number("Q")
        if self._at + size > len(self._view):
            raise ValueError(size)
        text = self._view[self._at : self._at + size].decode("utf-8", "replace")
        self._at += size
        return text

    def _number(self, code: str) -> int:
        (value,) = struct.unpack_from(f"<{code}", self._view, self._at)
        self._at += struct.calcsize(f"<{code}")
        return value  # type: ignore[no-any-return]


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int) else 0


def _parts(path: Path, count: int) -> list[Path]:
    """All files of a model that is split over several."""
    named = _PART.search(path.name)
    if count < 2 or named is None:  # noqa: PLR2004 (one part is the whole)
        return [path]
    stem = path.name[: named.start()]
    return [path.with_name(f"{stem}-{part:05}-of-{count:05}.gguf") for part in range(1, count + 1)]
