"""All settings, and the only module that reads the environment and `parlour.toml`."""

import ipaddress
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from parlour.sections import (
    AccessSettings,
    BrokerSettings,
    BusSettings,
    DatabaseSettings,
    EngineSettings,
    HandoffSettings,
    KeysSettings,
    KnowledgeSettings,
    LogSettings,
    MetricsSettings,
    OidcSettings,
    PersonalisationSettings,
    QuotasSettings,
    Section,
    SkillsSettings,
    SlackSettings,
    TelegramSettings,
    TurnsSettings,
    WebSettings,
)

PREFIX = "PARLOUR_"
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


class SettingsError(Exception):
    """A setting is wrong. The message names the setting, the problem and the remedy in one line."""


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
    oidc: OidcSettings = OidcSettings()
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

    @field_validator("data_dir", mode="before")
    @classmethod
    def _is_named(cls, value: object) -> object:
        """An empty name would be the working folder, which nobody meant who left a variable empty."""
        if value == "":
            raise ValueError("is empty. Name a folder, or leave it out for ./parlour-data")
        return value

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
        return (self.keys.file or self.data_dir.resolve() / "keys" / "master.key").absolute()

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


def _oidc_incomplete(settings: Settings) -> list[str]:
    oidc, found = settings.oidc, []
    if not oidc.issuer:
        return []
    # Whoever stands between could name themselves anybody.
    where = urlsplit(oidc.issuer)
    if where.scheme != "https" and (where.scheme != "http" or where.hostname not in _THIS_MACHINE):
        found.append("oidc.issuer: is not https://…. Only a provider on this machine is asked over http.")
    if not oidc.client_id:
        found.append("oidc.client_id: is empty though oidc.issuer is set. Copy it from the provider.")
    if not oidc.client_secret.get_secret_value():
        found.append("oidc.client_secret: is empty though oidc.issuer is set. Copy it from the provider.")
    if not oidc.redirect_url.endswith("/admin/oidc/back"):
        found.append("oidc.redirect_url: is not …/admin/oidc/back. Set it as it is registered with the provider.")
    return found


def _proxies_unclear(settings: Settings) -> list[str]:
    try:
        for proxy in settings.web.trusted_proxies:
            ipaddress.ip_network(proxy)
    except ValueError:
        # A `*` among them would let anybody say where they come from.
        problem = "holds what is neither an address nor a network"
        return [
            f"web.trusted_proxies: {problem}. Write them as 10.0.0.7 or 10.0.0.0/8, with no bits set behind the /8."
        ]
    return []


def _contradictions(settings: Settings) -> list[str]:
    """What cannot work together, as sentences that name the setting and the remedy."""
    found = [*_servers_missing(settings), *_oidc_incomplete(settings), *_proxies_unclear(settings)]
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
    except RecursionError:
        raise SettingsError(f"{path}: is nested far too deeply. Take out the brackets that open no list.") from None


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
