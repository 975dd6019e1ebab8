"""Model files are known for what they are before anything loads them."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parlour.engines.errors import ModelFileError
from parlour.engines.gguf import check_model, read_header

TEXT, ARRAY, UINT32 = 8, 9, 4
F32 = 0


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf(
    entries: dict[str, str | int | list[str]], *, values: int = 64, version: int = 3, body: bytes | None = None
) -> bytes:
    """A file with one tensor of `values` 32-bit numbers."""
    head = b"GGUF" + struct.pack("<IQQ", version, 1, len(entries))
    for key, value in entries.items():
        head += text(key)
        if isinstance(value, str):
            head += struct.pack("<I", TEXT) + text(value)
        elif isinstance(value, int):
            head += struct.pack("<II", UINT32, value)
        else:
            head += struct.pack("<IIQ", ARRAY, TEXT, len(value)) + b"".join(text(item) for item in value)
    head += text("weights") + struct.pack("<IQIQ", 1, values, F32, 0)
    return head.ljust(-(-len(head) // 32) * 32, b"\0") + (bytes(4 * values) if body is None else body)


CHAT: dict[str, str | int | list[str]] = {
    "general.architecture": "llama",
    "general.name": "Small",
    "tokenizer.ggml.tokens": ["a", "b", "字"],
    "llama.context_length": 4096,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def test_a_header_tells_architecture_name_and_window(path: Path) -> None:
    path.write_bytes(gguf(CHAT))

    header = check_model(path)

    assert (header.architecture, header.name, header.context_tokens, header.parts) == ("llama", "Small", 4096, 1)
    assert header.least_bytes == path.stat().st_size


def test_a_file_one_byte_short_is_cut_short(path: Path) -> None:
    path.write_bytes(gguf(CHAT)[:-1])

    with pytest.raises(ModelFileError, match="cut short"):
        check_model(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cut short"),
        (b"GGU", "not a GGUF"),
        (b"PK\x03\x04" * 100, "not a GGUF"),
        (b"GGUF", "cut short"),
        (gguf(CHAT, version=99), "damaged"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60), "damaged"),
    ],
)
def test_what_is_no_model_is_refused(path: Path, content: bytes, says: str) -> None:
    path.write_bytes(content)

    with pytest.raises(ModelFileError, match=says):
        check_model(path)


@pytest.mark.parametrize(
    "entries",
    [
        {**CHAT, "general.architecture": "nomic-bert"},
        {**CHAT, "general.architecture": "clip"},
        {**CHAT, "general.type": "adapter"},
        {**CHAT, "general.type": "mmproj"},
    ],
)
def test_a_model_that_cannot_chat_is_refused(path: Path, entries: dict[str, str | int | list[str]]) -> None:
    path.write_bytes(gguf(entries))

    with pytest.raises(ModelFileError, match="no chat model"):
        check_model(path)


def test_a_missing_part_of_a_split_model_is_named(tmp_path: Path) -> None:
    first = tmp_path / "big-00001-of-00002.gguf"
    first.write_bytes(gguf({**CHAT, "split.count": 2}))

    with pytest.raises(ModelFileError, match="big-00002-of-00002"):
        check_model(first)

    (tmp_path / "big-00002-of-00002.gguf").write_bytes(b"GGUF")
    assert check_model(first).parts == 2


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.gguf"):
        with pytest.raises(ModelFileError):
            read_header(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_does_worse_than_being_refused(path: Path, data: st.DataObject) -> None:
    """Whatever bytes a download garbled: either it still reads as a model, or it is refused with a word."""
    content = bytearray(gguf(CHAT))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])

    with contextlib.suppress(ModelFileError):
        check_model(path)
