"""vLLM in this process: `AsyncLLM`, continuous batching, on a GPU or a CPU. Works with vLLM 0.24 and newer."""

import asyncio
import contextlib
import importlib.metadata
import inspect
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parlour.engines.calls import described
from parlour.engines.errors import (
    EngineBusy,
    EngineDied,
    EngineError,
    EngineUnavailable,
    ModelFileError,
    NotSupported,
    PromptTooLong,
)
from parlour.engines.files import find_safetensors, label, read_template
from parlour.engines.options import EngineOptions
from parlour.engines.protocol import Message, Piece, Request, Tool
from parlour.engines.vllm_tools import ToolReader, find_parser, with_objects
from parlour.engines.wire import as_chat, clean

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

DEFAULT_CONTEXT_TOKENS = 8192
DEFAULT_MAX_CONCURRENCY = 64
_LORA_RANK = 64


class VllmEngine:
    """Answers with a folder of safetensors or a hub id. The model runs in a process of vLLM's own, started here."""

    def __init__(self, options: EngineOptions) -> None:
        """Nothing is loaded before `start`."""
        self._options = options
        self._max_concurrency = options.max_concurrency or DEFAULT_MAX_CONCURRENCY
        self._context_tokens = options.context_tokens or DEFAULT_CONTEXT_TOKENS
        self._lora_ids = {name: number for number, name in enumerate(options.loras, start=1)}
        self._running = 0
        self._llm: AsyncLLM | None = None
        self._tokenizer: Any = None
        self._tool_parser: type[Any] | None = None
        self._template: str | None = None

    @property
    def name(self) -> str:
        """Kind and model, for people."""
        return f"vllm {label(self._options.model)}"

    @property
    def context_tokens(self) -> int:
        """The window of one answer. Known after `start`."""
        return self._context_tokens

    @property
    def max_concurrency(self) -> int:
        """How many answers vLLM decodes together."""
        return self._max_concurrency

    @property
    def llm(self) -> "AsyncLLM":
        """vLLM itself, for measuring it alone. Raises `EngineUnavailable` before `start`."""
        if self._llm is None:
            raise EngineUnavailable(f"{self.name} is not running. Start it first.")
        return self._llm

    @property
    def calls_tools(self) -> bool:
        """Whether it was told which of vLLM's parsers reads this model's calls. Structured output does it otherwise."""
        return bool(self._options.tool_parser) and self._options.tool_calls == "auto"

    async def start(self) -> None:
        """Load the model; takes a minute. Raises `ModelFileError` or `EngineUnavailable` with a remedy."""
        if self._llm is not None:
            return
        model = find_safetensors(self._options.model, self._options.models_dir)
        _prepare_environment(self._options, is_local=isinstance(model, Path))
        named = self._options.chat_template
        self._template = None if named is None else read_template(named)
        llm = await _launch(self._arguments(str(model)), self.name)
        try:
            tokenizer = llm.get_tokenizer()
            self._tokenizer = await tokenizer if inspect.isawaitable(tokenizer) else tokenizer
            if self.calls_tools:
                self._tool_parser = find_parser(self._options.tool_parser)
                _refuse_deaf(self._tokenizer, self._template)
        except BaseException:
            await asyncio.to_thread(llm.shutdown)
            raise
        self._context_tokens = llm.model_config.max_model_len
        self._llm = llm

    async def close(self) -> None:
        """Break off running answers and end vLLM's process."""
        llm, self._llm = self._llm, None
        if llm is not None:
            await asyncio.to_thread(llm.shutdown)

    async def stream(self, request: Request) -> AsyncIterator[Piece]:
        """The answer, as vLLM decodes it."""
        await self.check()
        reader = self._reader(request)
        params = self._sampling(request, reader)
        lora = self._lora(request.lora)
        if self._running >= self._max_concurrency + self._options.max_queued:
            raise EngineBusy(f"{self._running} answers run or wait in vLLM. Try later, or raise engine.max_queued.")
        self._running += 1
        try:
            prompt = await self._prompt(request)
            outputs = self.llm.generate(prompt, params, request.id, lora_request=lora, priority=request.priority)
            async with contextlib.aclosing(outputs):
                async for piece in self._pieces(outputs, reader):
                    yield piece
        finally:
            self._running -= 1

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that the model's template makes of `messages`."""
        await self.check()
        return len(await self._tokens(messages))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vLLM has one task, and this one's is to answer."""
        raise NotSupported("The vllm engine serves a chat model, which has no embeddings.")

    async def check(self) -> None:
        """Return when vLLM's process lives."""
        if self.llm.errored:
            raise EngineUnavailable(f"{self.name} has died. Restart the worker; vLLM's own log says why.")

    def _reader(self, request: Request) -> ToolReader | None:
        """What reads calls out of this answer; None where there are none to make."""
        if not request.tools or self._tool_parser is None:
            return None
        return ToolReader(self._tool_parser, self._tokenizer, request.tools)

    async def _pieces(self, outputs: AsyncIterator[Any], reader: ToolReader | None) -> AsyncIterator[Piece]:
        """vLLM's outputs as pieces, its errors as ours."""
        has_begun, completion_tokens = False, 0
        try:
            async for output in outputs:
                answer = output.outputs[0]
                completion_tokens += len(answer.token_ids)
                has_begun = has_begun or bool(answer.text)
                text = answer.text if reader is None else reader.take(answer.text, answer.token_ids)
                if not output.finished:
                    yield Piece(text)
                    continue
                if answer.finish_reason not in {"stop", "length"}:
                    raise EngineDied(f"{self.name} ended an answer with '{answer.finish_reason}'.")  # noqa: TRY301 (an end like the others)
                rest, calls = ("", ()) if reader is None else reader.end(is_whole=answer.finish_reason == "stop")
                counts = len(output.prompt_token_ids), completion_tokens
                yield Piece(text + rest, answer.finish_reason, *counts, calls=calls)
                return
        except EngineError:
            raise
        except Exception as error:
            raise self._translated(error, has_begun=has_begun) from error
        raise EngineDied(f"{self.name} broke off in the middle of an answer.")

    def _translated(self, error: Exception, *, has_begun: bool) -> EngineError:
        """vLLM's error as ours. Its text may quote the prompt and is left out; its classes moved between versions."""
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if kinds & {"QueueOverflowError", "MaxQueuedTokensError"}:
            return EngineBusy(f"{self.name} takes no more requests. Try later.")
        if not has_begun and kinds & {"VLLMClientError", "VLLMValidationError", "ValueError"}:
            return NotSupported(f"{self.name} cannot use this request ({type(error).__name__}).")
        if has_begun:
            return EngineDied(f"{self.name} broke off in the middle of an answer ({type(error).__name__}).")
        return EngineUnavailable(f"{self.name} failed ({type(error).__name__}). vLLM's own log says why.")

    async def _prompt(self, request: Request) -> dict[str, Any]:
        """The prompt in tokens, as vLLM's own renderer would hand it over."""
        tokens = await self._tokens(request.messages, request.tools)
        if len(tokens) >= self._context_tokens:
            raise PromptTooLong(f"The prompt has {len(tokens)} tokens, the window {self._context_tokens}.")
        prompt: dict[str, Any] = {"type": "token", "prompt_token_ids": tokens}
        if request.cache_salt is not None:
            prompt["cache_salt"] = request.cache_salt
        return prompt

    async def _tokens(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> list[int]:
        # In a thread: a long prompt takes long, and all other answers flow through this loop.
        return await asyncio.to_thread(self._apply_template, with_objects(as_chat(messages)), tools)

    def _apply_template(self, chat: list[dict[str, Any]], tools: Sequence[Tool]) -> list[int]:
        try:
            return list(
                self._tokenizer.apply_chat_template(
                    chat,
                    tools=[described(tool) for tool in tools] or None,
                    # Not set on the tokenizer: vLLM hands out one of several behind a common face.
                    chat_template=self._template,
                    add_generation_prompt=True,
                    tokenize=True,
                    return_dict=False,
                    enable_thinking=False,
                )
            )
        except Exception as error:  # noqa: BLE001 (a template may refuse by any error of jinja or its own)
            raise NotSupported(
                f"{self.name}: its chat template refuses these messages ({type(error).__name__})."
            ) from None

    def _sampling(self, request: Request, reader: ToolReader | None = None) -> Any:  # noqa: ANN401 (vLLM's class, not imported up here)
        from vllm import SamplingParams  # noqa: PLC0415 (heavy)
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams  # noqa: PLC0415

        sampling = request.sampling
        structure = None
        if request.json_schema is not None:
            structure = StructuredOutputsParams(json=dict(request.json_schema))
        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=sampling.seed,
            repetition_penalty=sampling.repetition_penalty,
            stop=[clean(stop) for stop in sampling.stop if stop],
            max_tokens=sampling.max_tokens,
            output_kind=RequestOutputKind.DELTA,
            structured_outputs=structure,
            skip_special_tokens=reader is None or reader.skips_special_tokens,
        )

    def _lora(self, wanted: str | None) -> Any:  # noqa: ANN401 (vLLM's class, not imported up here)
        if wanted is None:
            return None
        if wanted not in self._lora_ids:
            raise NotSupported(f"No LoRA adapter named '{wanted}'. Configured: {', '.join(self._lora_ids) or 'none'}.")
        from vllm.lora.request import LoRARequest  # noqa: PLC0415 (heavy)

        return LoRARequest(wanted, self._lora_ids[wanted], str(self._options.loras[wanted]))

    def _arguments(self, model: str) -> dict[str, Any]:
        """vLLM's engine arguments."""
        options = self._options
        arguments: dict[str, Any] = {
            "model": model,
            "served_model_name": [options.model],
            "max_num_seqs": self._max_concurrency,
            "gpu_memory_utilization": options.gpu_memory,
            "scheduling_policy": "priority",
            "enable_prefix_caching": True,
            "load_format": options.load_format,
            "enforce_eager": options.is_eager,
            "enable_log_requests": False,
            "generation_config": "vllm",
        }
        window = options.context_tokens or _window_of(model)
        if window:
            arguments["max_model_len"] = window
        if options.loras:
            arguments |= {"enable_lora": True, "max_loras": min(len(options.loras), 8), "max_lora_rank": _LORA_RANK}
        return arguments


async def _launch(arguments: Mapping[str, Any], name: str) -> "AsyncLLM":
    """Start vLLM inside this loop, where its output handler must live."""
    try:
        # Here and not at the top: only a worker with this engine pays the seconds and the memory.
        from vllm import AsyncEngineArgs  # noqa: PLC0415
        from vllm.v1.engine.async_llm import AsyncLLM  # noqa: PLC0415
    except ImportError as error:
        raise EngineUnavailable(
            f"The vllm engine is not installed (no module {error.name}). "
            "Install it with pip install 'parlour[vllm]' for a GPU, or with deploy/install-vllm-cpu.sh for a CPU."
        ) from error
    known = inspect.signature(AsyncEngineArgs).parameters
    try:
        return AsyncLLM.from_engine_args(
            AsyncEngineArgs(**{key: value for key, value in arguments.items() if key in known})
        )
    except Exception as error:
        raise EngineUnavailable(
            f"{name} does not start ({type(error).__name__}). vLLM's own log says why; often too little memory "
            "(engine.gpu_memory, engine.kv_cache_gib, engine.context_tokens) or a model that it does not know."
        ) from error


def _refuse_deaf(tokenizer: Any, written: str | None) -> None:  # noqa: ANN401 (Hugging Face's class)
    """Raises `EngineUnavailable` where the chat template tells the model of no tools: it would never call one."""
    try:
        template = tokenizer.get_chat_template(chat_template=written, tools=[])
    except Exception as error:
        raise EngineUnavailable(
            f"engine.tool_parser is set, and the model has no chat template ({type(error).__name__}). "
            "Name one in engine.chat_template, or leave engine.tool_parser empty."
        ) from error
    if "tools" not in template:
        raise EngineUnavailable(
            "engine.tool_parser is set, and the model's chat template tells it of no tools. Name one that does in "
            "engine.chat_template, or leave engine.tool_parser empty."
        )


def _window_of(folder: str) -> int:
    """What the model was trained for, at most 8192; 0 where only vLLM can find out."""
    import json  # noqa: PLC0415

    path = Path(folder) / "config.json"
    if not path.is_file():
        return 0
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ModelFileError(f"{path} is damaged. Make the folder again: parlour model convert") from None
    text = config.get("text_config", config)
    return min(int(text.get("max_position_embeddings", DEFAULT_CONTEXT_TOKENS)), DEFAULT_CONTEXT_TOKENS)


def _prepare_environment(options: EngineOptions, *, is_local: bool) -> None:
    """Tell vLLM what it takes only from the environment; what an operator set there stays."""
    wanted = {
        "VLLM_CPU_KVCACHE_SPACE": str(max(1, round(options.kv_cache_gib))),
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        # A fork of a process with threads can hang; vLLM's own process starts afresh.
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    }
    if is_local:
        wanted["HF_HUB_OFFLINE"] = "1"
    if any(importlib.metadata.distributions(name="vllm-cpu")):
        # With vllm-cpu 0.32 and torch 2.13 what was compiled ahead of time fails to load, and each start compiles anew.
        wanted["VLLM_USE_AOT_COMPILE"] = "0"
    for key, value in wanted.items():
        os.environ.setdefault(key, value)
