"""What can be set, in groups: each a section of `parlour.toml`. `settings` reads them."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

DEFAULT_SYSTEM_PROMPT = "You are a helpful assistant. Answer briefly and truthfully. Say so when you do not know."


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
    trusted_proxies: tuple[str, ...] = Field(
        ("127.0.0.1",),
        description="Addresses and networks (`10.0.0.0/8`) of proxies: they alone are believed whom they pass on.",
    )


class OidcSettings(Section):
    """Signing in to the admin pages by the organisation's identity provider (OpenID Connect); off without an issuer."""

    issuer: str = Field("", description="`https://…`, letter by letter as the provider calls itself.")
    client_id: str = Field("", description="As registered with the provider.")
    client_secret: SecretStr = Field(SecretStr(""), description="As registered with the provider.")
    redirect_url: str = Field("", description="Public address of `/admin/oidc/back`, registered with the provider.")
    name: str = Field("OpenID", min_length=1, max_length=40, description="What the sign-in page calls the provider.")
    allowed_domains: tuple[str, ...] = Field(
        (), description="Only e-mail addresses in these domains; empty: those of all operators."
    )
    required_claims: dict[str, str] = Field(
        default_factory=dict,
        description="What an identity must say of itself, such as `{groups = 'parlour'}`; all of it.",
    )
    trusts_emails: bool = Field(
        default=False, description="Takes addresses for verified though the provider does not say `email_verified`."
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
    folders: dict[str, Path] = Field(default_factory=dict, description="Folders that skills may be let read, by name.")


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
