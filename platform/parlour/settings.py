"""All settings, and the only module that reads the environment and `parlour.toml`."""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "PARLOUR_"
DEFAULT_SYSTEM_PROMPT = "You are a helpful assistant. Answer briefly and truthfully. Say so when you do not know."


class SettingsError(Exception):
    """A setting is wrong. The message names the setting, the problem and the remedy in one line."""


class Section(BaseModel):
    """A group of settings; a misspelt name is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(Section):
    """Where content lives."""

    url: str = Field(
        "", description="SQLAlchemy URL; empty: SQLite in the data folder. `postgresql://…` in production."
    )
    pool_size: int = Field(10, ge=1, le=500, description="Connections that one process keeps open.")


class BrokerSettings(Section):
    """What tells workers that a turn waits."""

    url: str = Field("", description="Empty: in process. `redis://…` or `amqp://…`.")


class BusSettings(Section):
    """The live bus: drafts on their way to gateways, best effort."""

    url: str = Field("", description="Empty: the broker's Redis where it is Redis, else in process. `redis://…`.")


class KeysSettings(Section):
    """Keys: who wraps the data keys, and where they are kept."""

    provider: Literal["file", "vault", "aws-kms"] = Field("file", description="Who holds the key-encryption key.")
    url: str = Field(
        "", description="The key store, a database apart from the content; empty: SQLite in the data folder."
    )
    file: Path | None = Field(
        None, description="Key file of the `file` provider; empty: `keys/master.key` in the data folder."
    )
    provider_url: str = Field("", description="Server of `vault` (`https://…:8200`); for `aws-kms` only if not AWS's.")
    key: str = Field(
        "", description="The provider's key: Vault's Transit key (`parlour`) or a KMS alias (`alias/parlour`)."
    )
    token: SecretStr = Field(SecretStr(""), description="Vault's token.")
    mount: str = Field("transit", description="Where Vault's Transit engine is.")
    region: str = Field("", description="AWS region; empty: as AWS's own settings say.")

    @model_validator(mode="after")
    def _says_where(self) -> "KeysSettings":
        if self.provider == "vault" and not self.provider_url:
            raise ValueError("provider_url is empty for vault. Set it, for example to https://vault.example:8200")
        return self


class EngineSettings(Section):
    """The model that answers."""

    kind: Literal["llamacpp", "vllm", "openai", "echo"] = Field("llamacpp", description="Which engine answers.")
    model: str = Field(
        "smollm2-135m-instruct", description="Catalogue name, file or folder; for `openai` the server's name for it."
    )
    base_url: str = Field("", description="Server of the `openai` engine, `http://…/v1`.")
    api_key: SecretStr = Field(SecretStr(""), description="Key for the `openai` engine's server.")
    context_tokens: int = Field(
        0, ge=0, description="Window to use, prompt and answer together; 0: what the model has, at most 8192."
    )
    max_concurrency: int = Field(0, ge=0, le=1024, description="Answers at once; 0: what suits the engine.")
    max_queued: int = Field(
        256, ge=0, description="Requests that may wait inside the engine before it says it is busy."
    )
    gpu_memory: float = Field(0.9, gt=0, le=1, description="Share of GPU memory for vLLM.")
    kv_cache_gib: float = Field(2.0, gt=0, description="Memory for vLLM's KV cache on a CPU.")
    cache_salt: Literal["workspace", "user"] = Field("workspace", description="Who shares vLLM's prefix cache.")
    temperature: float = Field(0.2, ge=0, le=2, description="0 always takes the likeliest token.")
    top_p: float = Field(0.9, gt=0, le=1, description="Nucleus sampling.")
    repetition_penalty: float = Field(1.05, gt=0, le=2, description="Over 1 discourages repeating.")
    max_tokens: int = Field(512, ge=1, description="Longest answer, in tokens.")
    seed: int | None = Field(None, description="Makes sampling repeatable.")
    stop: tuple[str, ...] = Field((), description="Texts that end an answer.")
    models_dir: Path | None = Field(
        None, description="Where model files are; empty: the user's cache, `~/.cache/parlour/models`."
    )
    loras: dict[str, Path] = Field(default_factory=dict, description="LoRA adapters by name.")
    chat_template: Path | None = Field(None, description="A Jinja file in place of the model's own chat template.")
    tool_calls: Literal["auto", "schema"] = Field("auto", description="`schema`: tools by structured output alone.")
    tool_parser: str = Field("", description="vLLM's parser of tool calls, such as `hermes`; empty: `schema`.")


class KnowledgeSettings(Section):
    """What the organisation's documents are searched with."""

    embeddings: Literal["package", "server"] = Field(
        "package", description="Who gives texts their vectors: the encoder that comes as a package, or a server."
    )
    model: str = Field("", description="The server's embedding model; empty: the engine's.")
    base_url: str = Field("", description="The OpenAI-compatible server, `http://…/v1`; empty: the engine's.")
    api_key: SecretStr = Field(SecretStr(""), description="Its key; empty: the engine's, at the engine's server.")


class TelegramSettings(Section):
    """The Telegram bot; off without a token."""

    token: SecretStr = Field(SecretStr(""), description="From @BotFather.")
    mode: Literal["polling", "webhook"] = Field("polling", description="How updates come.")
    webhook_secret: SecretStr = Field(SecretStr(""), description="Required in webhook mode; checked on every request.")
    webhook_url: str = Field("", description="Public address of `/telegram/webhook`; empty: you register it yourself.")
    base_url: str = Field(
        "https://api.telegram.org/bot", description="Bot API server, as python-telegram-bot takes it."
    )


class SlackSettings(Section):
    """The Slack app; off without a bot token or a client id."""

    bot_token: SecretStr = Field(SecretStr(""), description="`xoxb-…`, for one workspace.")
    app_token: SecretStr = Field(SecretStr(""), description="`xapp-…`, for Socket Mode.")
    signing_secret: SecretStr = Field(SecretStr(""), description="Required in HTTP mode.")
    mode: Literal["socket", "http"] = Field("socket", description="How events come.")
    base_url: str = Field("https://slack.com/api/", description="Web API, as slack_sdk takes it.")
    client_id: str = Field("", description="For OAuth installation into several workspaces.")
    client_secret: SecretStr = Field(SecretStr(""), description="For OAuth installation.")
    redirect_url: str = Field("", description="Public address of `/slack/oauth_redirect`.")


class WebSettings(Section):
    """The gateway's HTTP server."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    is_secure: bool = Field(
        default=False, description="Set when people reach it over HTTPS: cookies are then for HTTPS only."
    )


class AccessSettings(Section):
    """Who may talk to the assistant."""

    policy: Literal["pairing", "open", "allowlist"] = Field(
        "pairing", description="`pairing`: a stranger gets a code that an admin approves."
    )
    groups: Literal["mention", "always"] = Field("mention", description="When to answer in groups.")
    allowlist: tuple[str, ...] = Field((), description="`telegram:12345`, `slack:U012ABC`: admitted without a code.")
    messages_per_minute: int = Field(600, ge=1, description="Per person; more are refused with a word.")


class HandoffSettings(Section):
    """Where people are who take a conversation over from the assistant."""

    place: str = Field(
        "",
        pattern=r"^(slack:[CG][A-Z0-9]{2,}|telegram:-?\d+(/\d+)?)?$",
        description="`slack:C0123456789` (a channel) or `telegram:-1001234567890` (a group; `/45` behind it names a "
        "topic): there conversations are handed over to people. Empty: nobody takes over.",
    )


class SkillsSettings(Section):
    """How skills run."""

    isolation: Literal["process", "inline"] = Field(
        "process",
        description="`process`: each skill in a confined process of its own. `inline`: in the worker's, for developing "
        "a skill with a debugger; refused with PostgreSQL, a broker, a bus or `PARLOUR_IS_PRODUCTION`.",
    )


class TurnsSettings(Section):
    """How turns are ordered, retried and given up."""

    mode: Literal["queue", "merge", "interrupt"] = Field(
        "queue", description="What a message does that arrives during an answer."
    )
    max_attempts: int = Field(3, ge=1, le=20, description="After so many tries a turn is given up.")
    max_waiting: int = Field(500, ge=1, description="Turns that may wait in one conversation.")
    lease_s: float = Field(30.0, ge=2, le=600, description="A dead worker's turn is taken over after this time.")
    max_text_chars: int = Field(32_000, ge=100, description="Longest text taken in; longer is refused with a word.")
    max_attachment_bytes: int = Field(10_000_000, ge=0, description="Largest file taken in.")
    stale_after_s: float = Field(
        7 * 86_400.0, gt=0, description="Messages older than this at arrival are not answered, only said so."
    )
    system_prompt: str = Field(DEFAULT_SYSTEM_PROMPT, description="For workspaces that have none of their own.")
    keep_messages_days: int = Field(90, ge=1, le=36_500, description="Messages are kept so long.")
    drain_s: float = Field(30.0, gt=0, description="At shutdown, running answers get so long to finish.")


class PersonalisationSettings(Section):
    """Remembering people who agreed to it."""

    is_on: bool = Field(default=True, description="Ask people whether they want to be remembered, and do so.")
    is_learning: bool = Field(
        default=True, description="Learn from what they write; off: only what they ask to be remembered."
    )
    prompt_tokens: int = Field(256, ge=0, le=8192, description="Most of a prompt that what is remembered may take.")
    keep_days: int = Field(
        365, ge=1, le=36_500, description="What is remembered goes when it was not told or seen again for so long."
    )


class QuotasSettings(Section):
    """The most that may be used in a day (midnight to midnight UTC); 0: no limit."""

    user_turns: int = Field(0, ge=0, description="Messages of one person.")
    user_tokens: int = Field(0, ge=0, description="Tokens of one person, prompts and answers together.")
    workspace_turns: int = Field(0, ge=0, description="Messages of each workspace.")
    workspace_tokens: int = Field(0, ge=0, description="Tokens of each workspace.")
    total_turns: int = Field(
        0, ge=0, description="Messages of the whole installation; a workspace below its even share is never refused."
    )
    total_tokens: int = Field(0, ge=0, description="Tokens of the whole installation, shared in the same way.")


class LogSettings(Section):
    """Logs, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level shown.")
    format: Literal["auto", "json", "text"] = Field("auto", description="`auto`: text on a terminal, else JSON.")


class MetricsSettings(Section):
    """Prometheus metrics of processes that have no web server of their own."""

    port: int = Field(0, ge=0, le=65535, description="Port for worker and scheduler; 0: none.")


class Settings(BaseSettings):
    """Everything that can be set. Later wins: defaults, `parlour.toml`, environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Field(Path("parlour-data"), description="Where the embedded databases, keys and models live.")
    workspace: str = Field("default", min_length=1, max_length=200, description="Name of the first workspace.")
    is_production: bool = Field(
        default=False, description="Refuses settings that are for one machine or for development only."
    )
    database: DatabaseSettings = DatabaseSettings()
    broker: BrokerSettings = BrokerSettings()
    bus: BusSettings = BusSettings()
    keys: KeysSettings = KeysSettings()
    engine: EngineSettings = EngineSettings()
    knowledge: KnowledgeSettings = KnowledgeSettings()
    telegram: TelegramSettings = TelegramSettings()
    slack: SlackSettings = SlackSettings()
    web: WebSettings = WebSettings()
    access: AccessSettings = AccessSettings()
    handoff: HandoffSettings = HandoffSettings()
    skills: SkillsSettings = SkillsSettings()
    turns: TurnsSettings = TurnsSettings()
    personalisation: PersonalisationSettings = PersonalisationSettings()
    quotas: QuotasSettings = QuotasSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load` hands in, nothing else: the environment and the file come in there, already merged."""
        return (init_settings,)

    @model_validator(mode="after")
    def _belongs_together(self) -> "Settings":
        for problem in _contradictions(self):
            raise ValueError(problem)
        return self

    @property
    def database_url(self) -> str:
        """The content database, the default filled in."""
        return self.database.url or f"sqlite:///{self.data_dir.resolve() / 'parlour.sqlite'}"

    @property
    def keys_url(self) -> str:
        """The key store, the default filled in."""
        return self.keys.url or f"sqlite:///{self.data_dir.resolve() / 'keys' / 'keys.sqlite'}"

    @property
    def key_file(self) -> Path:
        """The file provider's key, the default filled in."""
        return self.keys.file or self.data_dir / "keys" / "master.key"

    @property
    def embedding_server(self) -> tuple[str, str, str] | None:
        """Address, key and model of the server of embeddings, the engine's filled in; None: the package's encoder."""
        own, engine = self.knowledge, self.engine
        if own.embeddings == "package":
            return None
        # The engine's key is for the engine's server alone.
        key = own.api_key if own.base_url or own.api_key.get_secret_value() else engine.api_key
        return own.base_url or engine.base_url, key.get_secret_value(), own.model or engine.model

    @property
    def models_dir(self) -> Path:
        """Where model files are, the default filled in. Outside the data folder: models are no data, and are shared."""
        return self.engine.models_dir or Path.home() / ".cache" / "parlour" / "models"

    @property
    def bus_url(self) -> str:
        """The live bus, the default filled in; empty means in process."""
        return self.bus.url or (self.broker.url if self.broker.url.startswith(("redis://", "rediss://")) else "")

    @property
    def is_embedded(self) -> bool:
        """Whether broker and bus live inside one process, so that everything must run in that one."""
        return not self.broker.url


def load(environ: Mapping[str, str] | None = None, *, config: Path | None = None, **overrides: Any) -> Settings:
    """The settings of this process, from `parlour.toml` (or `PARLOUR_CONFIG`), the environment and `overrides`.

    Raises `SettingsError` with one line that names the setting, the problem and the remedy.
    """
    env = {name.upper(): value for name, value in (os.environ if environ is None else environ).items()}
    named = env.pop(f"{PREFIX}CONFIG", "")
    path = config or Path(named or "parlour.toml")
    values = _merge(_read_toml(path, must_exist=bool(config or named)), _read_environment(env))
    try:
        return Settings(**_merge(values, overrides))
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from None


def _servers_missing(settings: Settings) -> list[str]:
    found = []
    engine = settings.engine
    if engine.kind == "openai" and not engine.base_url:
        found.append(
            "engine.base_url: is empty for the openai engine. Set it, for example to http://127.0.0.1:8000/v1."
        )
    if settings.knowledge.embeddings == "server" and not (settings.knowledge.base_url or engine.base_url):
        found.append(
            "knowledge.base_url: is empty though knowledge.embeddings is server. Set it to an OpenAI-compatible server."
        )
    return found


def _production_signs(settings: Settings) -> list[str]:
    """The settings by which an installation is more than somebody's own machine."""
    signs = {
        "is_production": settings.is_production,
        "database.url": settings.database.url.startswith("postgresql"),
        "broker.url": bool(settings.broker.url),
        "bus.url": bool(settings.bus.url),
    }
    return [name for name, is_set in signs.items() if is_set]


def _contradictions(settings: Settings) -> list[str]:
    """What cannot work together, as sentences that name the setting and the remedy."""
    found = _servers_missing(settings)
    if settings.skills.isolation == "inline" and (signs := _production_signs(settings)):
        found.append(
            f"skills.isolation: inline is for development, and {signs[0]} is set as in production. Set it to process."
        )
    telegram, slack = settings.telegram, settings.slack
    if (
        telegram.mode == "webhook"
        and telegram.token.get_secret_value()
        and not telegram.webhook_secret.get_secret_value()
    ):
        found.append(
            "telegram.webhook_secret: is empty in webhook mode. Set it to a long random word, here and at Telegram."
        )
    if slack.bot_token.get_secret_value() and slack.mode == "socket" and not slack.app_token.get_secret_value():
        found.append(
            "slack.app_token: is empty in socket mode. Make an app-level token (xapp-…) or set slack.mode to http."
        )
    if (
        (slack.bot_token.get_secret_value() or slack.client_id)
        and slack.mode == "http"
        and not slack.signing_secret.get_secret_value()
    ):
        found.append("slack.signing_secret: is empty in http mode. Copy it from the app's Basic Information page.")
    if slack.client_id and not slack.client_secret.get_secret_value():
        found.append("slack.client_secret: is empty though slack.client_id is set. Copy it from the app's page too.")
    if settings.is_production and settings.is_embedded:
        found.append("broker.url: is empty in production. Set it to redis://… or amqp://….")
    if settings.database.url and not settings.database.url.startswith(
        ("postgresql://", "postgresql+psycopg://", "sqlite:///")
    ):
        found.append("database.url: is neither PostgreSQL nor SQLite. Use postgresql://… or sqlite:///….")
    if settings.broker.url and not settings.broker.url.startswith(("redis://", "rediss://", "amqp://", "amqps://")):
        found.append("broker.url: is neither Redis nor RabbitMQ. Use redis://… or amqp://…, or leave it empty.")
    if settings.bus.url and not settings.bus.url.startswith(("redis://", "rediss://")):
        found.append("bus.url: is not Redis. Use redis://…, or leave it empty.")
    return found


def _read_toml(path: Path, *, must_exist: bool) -> dict[str, Any]:
    """The file's settings, empty where there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if must_exist:
            raise SettingsError(f"{PREFIX}CONFIG: no file {path}. Create it or unset the variable.") from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not valid TOML ({error}). Mend that line.") from None


def _read_environment(env: dict[str, str]) -> dict[str, Any]:
    """Settings from `PARLOUR_…` variables; `…_FILE` variables name a file that holds the value."""
    plain = {name: value for name, value in env.items() if name.startswith(PREFIX)}
    known = {f"{PREFIX}{'__'.join(path)}".upper() for path in _paths(Settings)}
    for name in list(plain):
        target = name.removesuffix("_FILE")
        if name not in known and target != name and target in known:
            plain[target] = _read_secret(name, Path(plain.pop(name)))
        elif name not in known and not any(name.startswith(f"{prefix}__") for prefix in known):
            raise SettingsError(f"{name}: no such setting. See docs/settings.md for all of them.")
    _check_json(plain)
    source = EnvSettingsSource(Settings, env_prefix=PREFIX, env_nested_delimiter="__")
    source.env_vars = {name.lower(): value for name, value in plain.items()}
    try:
        return source()
    except Exception as error:  # noqa: BLE001 (pydantic-settings raises many kinds)
        raise SettingsError(f"the environment: {error}. Lists and tables are written as JSON.") from None


def _check_json(plain: Mapping[str, str]) -> None:
    """Raises `SettingsError` for a list or table that is not written as JSON."""
    for path in _paths(Settings):
        name = f"{PREFIX}{'__'.join(path)}".upper()
        section: Any = Settings if len(path) == 1 else Settings.model_fields[path[0]].annotation
        if name in plain and get_origin(section.model_fields[path[-1]].annotation) in {tuple, dict}:
            try:
                json.loads(plain[name])
            except ValueError:
                raise SettingsError(
                    f'{name}: is not JSON. Write a list as ["a", "b"], a table as {{"a": "b"}}.'
                ) from None


def _paths(model: type[BaseModel]) -> list[tuple[str, ...]]:
    """Every setting's path, sections opened."""
    found: list[tuple[str, ...]] = []
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            found += [(name, *rest) for rest in _paths(kind)]
        else:
            found.append((name,))
    return found


def _read_secret(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{name}: cannot read {path} ({error.__class__.__name__}). Give a readable text file."
        ) from None


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """`low` overridden by `high`, section by section."""
    merged = dict(low)
    for name, value in high.items():
        old = merged.get(name)
        merged[name] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _one_line(error: ValidationError) -> str:
    """The first problem as one line. The value itself is left out: it may be a secret."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    path = "__".join(str(part) for part in first["loc"]).upper()
    hint = "No such setting; see docs/settings.md." if first["type"] == "extra_forbidden" else "See docs/settings.md."
    return f"{PREFIX}{path}: {message}. {hint}"
