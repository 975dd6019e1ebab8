"""What the settings say, in the words of the parts that it is for: the engine, the keys' provider, the data folder."""

from collections.abc import Callable

from parlour.engines.factory import build
from parlour.engines.host import EngineHost
from parlour.engines.options import EngineOptions
from parlour.people.quotas import QuotaRules
from parlour.privacy.keys import KeyProvider
from parlour.privacy.providers import ProviderOptions, remote_provider
from parlour.settings import Settings, SettingsError

# How many turns a worker answers at once where the settings leave it open and the engine is not built yet.
_THREADS = {"echo": 8, "llamacpp": 4, "openai": 32, "vllm": 32}


def engine_host(settings: Settings) -> EngineHost:
    """The engine that the settings name, in a thread and loop of its own; not yet started."""
    return EngineHost(build(engine_options(settings)))


def engine_options(settings: Settings) -> EngineOptions:
    """What the settings say of the engine."""
    engine = settings.engine
    return EngineOptions(
        kind=engine.kind,
        model=engine.model,
        models_dir=settings.models_dir,
        base_url=engine.base_url,
        api_key=engine.api_key.get_secret_value(),
        context_tokens=engine.context_tokens,
        max_concurrency=engine.max_concurrency or _THREADS[engine.kind],
        max_queued=engine.max_queued,
        gpu_memory=engine.gpu_memory,
        kv_cache_gib=engine.kv_cache_gib,
        loras=engine.loras,
        chat_template=engine.chat_template,
        tool_calls=engine.tool_calls,
        tool_parser=engine.tool_parser,
    )


def key_provider(settings: Settings) -> Callable[[], KeyProvider] | None:
    """What makes the provider that the settings name, None for the key file."""
    keys, token = settings.keys, settings.keys.token.get_secret_value()
    return remote_provider(ProviderOptions(keys.provider, keys.provider_url, keys.key, keys.mount, keys.region, token))


def quota_rules(settings: Settings) -> QuotaRules:
    """What people and workspaces may use in a day."""
    return QuotaRules(**settings.quotas.model_dump())


def worker_threads(settings: Settings) -> int:
    """How many turns a worker answers at once: as many as the engine takes sequences."""
    return settings.engine.max_concurrency or _THREADS[settings.engine.kind]


def prepare_data_dir(settings: Settings) -> None:
    """Make the data folder for this user alone; what lies in it is for nobody else. Raises `SettingsError`."""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        problem = f"PARLOUR_DATA_DIR: cannot make {settings.data_dir} ({error.strerror})."
        raise SettingsError(f"{problem} Name a folder that this user may write to.") from None
