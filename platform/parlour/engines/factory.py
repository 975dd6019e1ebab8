"""Builds the engine that the settings name."""

from parlour.engines.options import EngineOptions
from parlour.engines.protocol import Engine

# Engines are imported where they are built: each needs a library that only its own extra installs.
# ruff: noqa: PLC0415


def build(options: EngineOptions) -> Engine:
    """The engine, not yet started. Raises `ModelFileError` or `EngineUnavailable` (library missing) with the remedy."""
    match options.kind:
        case "echo":
            from parlour.engines.echo import EchoEngine

            return EchoEngine(context_tokens=options.context_tokens, max_concurrency=options.max_concurrency)
        case "llamacpp":
            from parlour.engines.llamacpp import LlamaCppEngine

            return LlamaCppEngine(options)
        case "vllm":
            from parlour.engines.vllm import VllmEngine

            return VllmEngine(options)
        case "openai":
            from parlour.engines.openai import OpenAIEngine

            return OpenAIEngine(options)
