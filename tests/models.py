"""The small model's files for tests: fetched and converted once, kept in the developer's cache."""

import os
from pathlib import Path

from parlour.engines import catalogue
from parlour.engines.convert import convert
from parlour.engines.errors import EngineError
from parlour.engines.pull import pull
from tests.services import Missing

# Read before tests/conftest.py clears the environment.
MODELS_DIR = Path(os.environ.get("PARLOUR_TEST_MODELS") or Path.home() / ".cache" / "parlour" / "models")


def smollm2_gguf() -> Path:
    """The GGUF file. Raises `Missing` where no source can be reached."""
    try:
        return pull(catalogue.find(catalogue.FIRST_CONTACT), MODELS_DIR)
    except EngineError as error:
        raise Missing(str(error)) from error


def smollm2_folder(gguf: Path) -> Path:
    """The folder for vLLM. Raises `Missing` where the libraries for the conversion are not installed."""
    try:
        return convert(gguf)
    except EngineError as error:
        raise Missing(str(error)) from error
