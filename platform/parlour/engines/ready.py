"""Gets a model's files to where the engine looks for them, for a first start."""

from parlour.engines.catalogue import CATALOGUE, FIRST_CONTACT, find
from parlour.engines.convert import convert
from parlour.engines.errors import ModelFileError
from parlour.engines.files import find_gguf, find_safetensors
from parlour.engines.options import EngineOptions
from parlour.engines.pull import Progress, pull


def fetch_if_missing(options: EngineOptions, *, progress: Progress = lambda _done, _all: None) -> bool:
    """Fetch the catalogue model that `options` name where its file is not there; True when something was fetched.

    For vLLM the small model is converted, too; larger ones it fetches from the hub by itself. Files, folders and other
    names are the operator's own affair. Raises `ModelFileError`, and `EngineUnavailable` where a library is missing.
    """
    if options.model not in {model.name for model in CATALOGUE} or _is_there(options):
        return False
    gguf = pull(find(options.model), options.models_dir, progress=progress)
    if options.kind == "vllm":
        convert(gguf)
    return True


def _is_there(options: EngineOptions) -> bool:
    try:
        match options.kind:
            case "llamacpp":
                find_gguf(options.model, options.models_dir)
            case "vllm" if options.model == FIRST_CONTACT:
                find_safetensors(options.model, options.models_dir)
            case _:
                return True
    except ModelFileError:
        return False
    return True
