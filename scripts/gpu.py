"""`make gpu`: the vLLM contract and the serving figures on this machine's GPU.

No large weights are needed: the figures are taken with random ones in the shape of an 8B model, which cost a GPU
exactly as much. `--tiny` goes the same way in a shape that a CPU can carry, to see that the way is open.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from parlour.engines import catalogue
from parlour.engines.convert import convert
from parlour.engines.errors import EngineError
from parlour.engines.pull import pull
from tests.models import MODELS_DIR

# The layers of Llama 3.1 8B: https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct/blob/main/config.json
SHAPE_8B: dict[str, int] = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
SHAPE_TINY: dict[str, int] = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 64,
}
_FROM_SMALL = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")


def random_model(folder: Path, shape: dict[str, int], small: Path) -> Path:
    """A model folder without weights, for vLLM's `load_format="dummy"`; words and template are the small model's.

    The vocabulary is the small model's too, so that every token that random weights can choose is a word.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FROM_SMALL:
        shutil.copy(small / name, folder / name)
    config: dict[str, Any] = json.loads((small / "config.json").read_text(encoding="utf-8"))
    config |= shape | {"tie_word_embeddings": False}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return folder


def main() -> int:
    """Run what was asked for. The exit code is 0 when all of it passed."""
    options = _options()
    if not options.tiny and not _has_gpu():
        sys.stderr.write("No NVIDIA GPU here (nvidia-smi finds none). Try the way without one: make gpu ARGS=--tiny\n")
        return 1
    try:
        small = convert(pull(catalogue.find(catalogue.FIRST_CONTACT), MODELS_DIR))
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not options.figures_only:
        contract = _run("pytest", "tests/integration/engines/test_vllm.py")
        if contract:
            return contract
    with tempfile.TemporaryDirectory() as made:
        model = random_model(
            Path(made) / ("tiny" if options.tiny else "8b"), SHAPE_TINY if options.tiny else SHAPE_8B, small
        )
        return _run(*_bench(model, options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make gpu", description="vLLM's contract and serving figures on a GPU.")
    parser.add_argument("--tiny", action="store_true", help="a shape that a CPU can carry")
    parser.add_argument("--figures-only", action="store_true", help="leave the contract test out")
    parser.add_argument("--json-file", type=Path, default=Path("build/gpu-serving.json"), help="where the figures go")
    return parser.parse_args()


def _bench(model: Path, options: argparse.Namespace) -> list[str]:
    people = ["1", "4"] if options.tiny else ["1", "8", "32", "64"]
    size = ["--questions", "1", "--rounds", "1", "--max-tokens", "16"] if options.tiny else ["--max-tokens", "256"]
    command = ["parlour", "bench", "serving", "--engine", "vllm", "--model", str(model), "--random-weights"]
    return [*command, *size, "--json-file", str(options.json_file), *(part for n in people for part in ("--people", n))]


def _run(module: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode  # noqa: S603 (fixed words)


def _has_gpu() -> bool:
    found = shutil.which("nvidia-smi")
    return found is not None and subprocess.run([found, "-L"], capture_output=True, check=False).returncode == 0  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
