"""What an engine needs to know to be built; filled from the settings by whoever builds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["llamacpp", "vllm", "openai", "echo"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Plain values; each means what the setting of the same name in section `engine` means.

    `models_dir` is where `parlour model pull` puts files. `load_format` is vLLM's: `dummy` serves random weights, for
    measuring without a model's files. `is_eager` leaves out vLLM's compilation: ready sooner, slower answers.
    `chat_template` stands in for the model's own; `tool_parser` is the one of vLLM's that reads the model's calls.
    """

    kind: Kind
    model: str = ""
    models_dir: Path = Path("models")
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    context_tokens: int = 0
    max_concurrency: int = 0
    max_queued: int = 256
    gpu_memory: float = 0.9
    kv_cache_gib: float = 2.0
    loras: Mapping[str, Path] = field(default_factory=dict)
    load_format: Literal["auto", "dummy"] = "auto"
    is_eager: bool = False
    chat_template: Path | None = None
    tool_calls: Literal["auto", "schema"] = "auto"
    tool_parser: str = ""
