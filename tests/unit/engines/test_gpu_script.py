"""The model of random weights that `make gpu` measures."""

import json
from pathlib import Path

import pytest

from scripts.gpu import SHAPE_8B, SHAPE_TINY, random_model


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """What the conversion of the small model leaves."""
    folder = tmp_path / "small"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        (folder / name).write_text(name)
    config = {"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_text("weights")
    return folder


@pytest.mark.parametrize("shape", [SHAPE_8B, SHAPE_TINY])
def test_it_has_the_shape_asked_for_and_the_small_models_words(
    tmp_path: Path, small: Path, shape: dict[str, int]
) -> None:
    made = random_model(tmp_path / "made", shape, small)

    config = json.loads((made / "config.json").read_text())
    assert config == {"model_type": "llama", "vocab_size": 49152, "tie_word_embeddings": False, **shape}
    assert (made / "tokenizer.json").read_text() == "tokenizer.json"
    assert not (made / "model.safetensors").exists()


def test_its_heads_fit_its_width() -> None:
    for shape in (SHAPE_8B, SHAPE_TINY):
        assert shape["num_attention_heads"] * shape["head_dim"] == shape["hidden_size"]
        assert shape["num_attention_heads"] % shape["num_key_value_heads"] == 0
