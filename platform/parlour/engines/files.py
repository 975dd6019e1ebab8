"""Where model files are, by catalogue name, file or folder."""

import json
import struct
from pathlib import Path

from parlour.engines.catalogue import CATALOGUE, FIRST_CONTACT
from parlour.engines.errors import ModelFileError

# The model of first contact is not among them: it comes without the hub, and is converted here.
HUB_IDS = {model.name: model.hub_id for model in CATALOGUE if model.name != FIRST_CONTACT}
# Inside a model's folder, what `parlour model convert` made for vLLM.
CONVERTED = "safetensors"


def label(model: str) -> str:
    """What to call a model: its catalogue name or hub id, of a path the part that names it."""
    path = Path(model)
    if not path.is_absolute() and not model.startswith((".", "~")):
        return model.removesuffix(".gguf")
    return path.parent.name if path.name == CONVERTED else path.name.removesuffix(".gguf")


def model_folder(name: str, models_dir: Path) -> Path:
    """The folder of a catalogue model's files."""
    return models_dir / name


def find_gguf(model: str, models_dir: Path) -> Path:
    """The GGUF file that `model` (a path or a pulled model's name) means. Raises `ModelFileError` with the remedy."""
    path = Path(model).expanduser()
    if path.suffix == ".gguf" or path.is_file():
        return path
    folder = path if path.is_dir() else model_folder(model, models_dir)
    files = sorted(folder.glob("*.gguf"))
    if not files:
        raise ModelFileError(f"No model '{model}' in {models_dir}. Fetch it with: parlour model pull {model}")
    return files[0]


def find_safetensors(model: str, models_dir: Path) -> Path | str:
    """What vLLM loads for `model`: a folder, or a hub id that it fetches by itself.

    A catalogue name means the folder that was made for it, else the original weights on the hub. Raises
    `ModelFileError` with the remedy.
    """
    path = Path(model).expanduser()
    if path.suffix == ".gguf" or path.is_file():
        raise ModelFileError(
            f"vLLM reads no GGUF file: {path}. Make a folder for it with: parlour model convert {model}"
        )
    converted = model_folder(model, models_dir) / CONVERTED
    if converted.is_dir():
        return _checked(converted, model)
    if path.is_dir():
        return _checked(path, model)
    if model in HUB_IDS:
        return HUB_IDS[model]
    if "/" in model and not model.startswith((".", "/", "~")):
        return model
    raise ModelFileError(f"No model '{model}' for vLLM in {models_dir}. Make it with: parlour model convert {model}")


def read_template(path: Path) -> str:
    """The chat template in a file. Raises `ModelFileError` with the remedy."""
    try:
        return path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelFileError(
            f"engine.chat_template: {path} cannot be read as text ({type(error).__name__}). Name a Jinja file, or none."
        ) from None


def _checked(folder: Path, model: str) -> Path:
    """`folder` if it has what vLLM needs."""
    if not (folder / "config.json").is_file():
        raise ModelFileError(
            f"{folder} is no model for vLLM (config.json is missing). Make it: parlour model convert {model}"
        )
    for weights in sorted(folder.glob("*.safetensors")):
        if not _is_whole(weights):
            raise ModelFileError(
                f"{weights} is cut short or damaged. Fetch the model again, or: parlour model convert --again {model}"
            )
    return folder


def _is_whole(weights: Path) -> bool:
    """Whether a safetensors file is as long as its table says: https://huggingface.co/docs/safetensors (the format)."""
    size = weights.stat().st_size
    try:
        with weights.open("rb") as file:
            (table_size,) = struct.unpack("<Q", file.read(8))
            if table_size > size:
                return False
            table = json.loads(file.read(table_size))
        ends = [entry["data_offsets"][1] for name, entry in table.items() if name != "__metadata__"]
    except (struct.error, ValueError, LookupError, TypeError, AttributeError):
        return False
    return bool(size == 8 + table_size + max(ends, default=0))
