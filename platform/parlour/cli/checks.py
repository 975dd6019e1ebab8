"""What `parlour doctor` looks at. Each check is one function: settings in, findings out, nothing changed anywhere."""

import importlib.util
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import httpx
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from sqlalchemy import select

from parlour.engines.errors import EngineError, EngineUnavailable
from parlour.engines.files import find_gguf, find_safetensors
from parlour.engines.gguf import check_model
from parlour.from_settings import engine_host
from parlour.privacy.audit import cut_at
from parlour.privacy.errors import PrivacyError
from parlour.privacy.service import open_privacy
from parlour.settings import Settings
from parlour.store import schema
from parlour.store.connect import place_of
from parlour.store.database import Database
from parlour.store.errors import StoreError
from parlour.store.models import Account
from parlour.store.schema import Schema
from parlour.turns.metrics import Backlog, read_backlog
from parlour.turns.stuck import COUNTED_AT_MOST, Stuck, read_stuck, remedy_for

TIMEOUT_S: Final = 5.0
LEAST_FREE_BYTES: Final = 500_000_000
STUCK_AFTER: Final = timedelta(minutes=5)
NOT_MADE_YET: Final = "not made yet"


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. A problem has a remedy."""

    check: str
    state: State
    detail: str
    remedy: str = ""

    def as_row(self) -> dict[str, str]:
        """The finding as a row of a table."""
        return {name: str(value) for name, value in asdict(self).items()}


def ok(check: str, detail: str) -> Finding:
    """All is well there."""
    return Finding(check, State.OK, detail)


def note(check: str, detail: str, remedy: str = "") -> Finding:
    """Worth knowing, and no obstacle."""
    return Finding(check, State.NOTE, detail, remedy)


def problem(check: str, detail: str, remedy: str) -> Finding:
    """Something will not work."""
    return Finding(check, State.PROBLEM, detail, remedy)


def check_data_folder(settings: Settings) -> Iterator[Finding]:
    """Whether the data folder can be written, or made, and has room."""
    folder = settings.data_dir.resolve()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        yield problem("data folder", f"{nearest} is a file", "Remove it, or set PARLOUR_DATA_DIR to a folder.")
    elif not os.access(nearest, os.W_OK | os.X_OK):
        yield problem("data folder", f"{nearest} cannot be written", "Run as its owner, or set PARLOUR_DATA_DIR.")
    elif (free := shutil.disk_usage(nearest).free) < LEAST_FREE_BYTES:
        yield problem("data folder", f"{folder}: {free // 1_000_000} MB free", "Make room, or set PARLOUR_DATA_DIR.")
    else:
        yield ok("data folder", str(folder) if folder.exists() else f"{folder} ({NOT_MADE_YET})")


def check_database(settings: Settings) -> Iterator[Finding]:
    """Whether the content database answers and has the schema that this version expects."""
    yield _schema("database", settings.database_url, Schema.CONTENT)


def check_keys(settings: Settings) -> Iterator[Finding]:
    """Whether the key store answers, the key file opens it, and the audit log goes as far as it has noted."""
    found = _schema("key store", settings.keys_url, Schema.KEYS)
    yield found
    if found.state is State.NOTE and not settings.key_file.exists():
        yield note("keys", f"{settings.key_file} ({NOT_MADE_YET})", "parlour up makes it.")
    elif found.state is State.OK and _schema("", settings.database_url, Schema.CONTENT).state is State.OK:
        yield from _open_keys(settings)


def _schema(name: str, url: str, which: Schema) -> Finding:
    place = place_of(url)
    try:
        found = schema.current(url, which)
        if found is None:
            return note(name, f"{place} ({NOT_MADE_YET})", "parlour up makes it, or: parlour db upgrade")
        schema.check(url, which)
    except StoreError as error:
        return problem(name, "cannot be used", str(error))
    return ok(name, f"{place}, schema {found}")


def _open_keys(settings: Settings) -> Iterator[Finding]:
    if not settings.key_file.exists():
        # Opening would make one where both databases are empty, and doctor makes nothing.
        remedy = "Put it back from its backup, or point PARLOUR_KEYS__FILE at it; on a first start parlour up makes it."
        yield problem("keys", f"{settings.key_file} is missing", remedy)
        return
    try:
        with (
            closing(Database(settings.database_url, pool_size=1)) as content,
            closing(
                open_privacy(content=content, keys_url=settings.keys_url, key_file=settings.key_file, pool_size=1)
            ) as privacy,
        ):
            yield ok("keys", f"{settings.key_file} opens the key store")
            cut = cut_at(content, privacy)
    except (StoreError, PrivacyError) as error:
        yield problem("keys", "do not open", str(error))
        return
    if cut is None:
        yield ok("audit log", "goes as far as the key store has noted")
    else:
        remedy = "parlour audit verify names what is wrong. After a restore of older content: parlour audit accept"
        yield problem("audit log", f"entry {cut}, which the key store has noted, is not there as it was", remedy)


def check_broker(settings: Settings) -> Iterator[Finding]:
    """Whether the broker takes connections."""
    if settings.is_embedded:
        yield ok("broker", "in process")
        return
    with Connection(settings.broker.url, connect_timeout=TIMEOUT_S) as connection:
        place = connection.as_uri()
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=TIMEOUT_S)
        except (OperationalError, OSError, ImportError) as error:
            remedy = "Start it, or correct PARLOUR_BROKER__URL. Turns wait in the database meanwhile."
            yield problem("broker", f"{place} ({type(error).__name__})", remedy)
        else:
            yield ok("broker", place)


def check_bus(settings: Settings) -> Iterator[Finding]:
    """Whether the live bus takes connections."""
    if not settings.bus_url:
        if settings.is_embedded:
            yield ok("live bus", "in process")
        else:
            yield note("live bus", "none: answers come whole, not streamed", "Set PARLOUR_BUS__URL to a redis://….")
        return
    with Connection(settings.bus_url, connect_timeout=TIMEOUT_S) as connection:
        place = connection.as_uri()
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=TIMEOUT_S)
        except (OperationalError, OSError, ImportError) as error:
            remedy = "Start it, or correct PARLOUR_BUS__URL. Until then answers come whole."
            yield problem("live bus", f"{place} ({type(error).__name__})", remedy)
        else:
            yield ok("live bus", place)


def check_engine(settings: Settings, *, is_deep: bool) -> Iterator[Finding]:
    """Whether the model is there; when deep, whether it answers."""
    try:
        yield ok("model", _model(settings))
        if is_deep:
            with closing(engine_host(settings)) as host:
                host.start()
                host.check()
                yield ok("engine", f"{host.name} answers; {host.context_tokens} tokens, {host.max_concurrency} at once")
    except EngineError as error:
        yield problem("model", f"{settings.engine.kind}: not usable", str(error))


def _model(settings: Settings) -> str:
    """Where the model is. Raises `EngineError` when it is not where it should be, or what would run it is missing."""
    kind, model = settings.engine.kind, settings.engine.model
    library = {"llamacpp": "xllamacpp", "vllm": "vllm", "openai": "openai"}.get(kind)
    if library and importlib.util.find_spec(library) is None:
        raise EngineUnavailable(f"The engine {kind} is not installed. Install it with: pip install 'parlour[{kind}]'")
    match kind:
        case "llamacpp":
            path = find_gguf(model, settings.models_dir)
            check_model(path)
            return f"llamacpp: {path}"
        case "vllm":
            return f"vllm: {find_safetensors(model, settings.models_dir)}"
        case "openai":
            return f"openai: {model} at {settings.engine.base_url}"
        case "echo":
            return "echo: repeats what people write, for trying things out"


def check_telegram(settings: Settings) -> Iterator[Finding]:
    """Whether Telegram knows the bot's token."""
    token = settings.telegram.token.get_secret_value()
    if not token:
        yield note("telegram", "off: no token")
        return
    answer = _ask(f"{settings.telegram.base_url}{token}/getMe")
    if answer is None:
        yield problem("telegram", "cannot be reached", "Check the network and PARLOUR_TELEGRAM__BASE_URL.")
    elif answer.get("ok"):
        yield ok("telegram", f"@{answer['result'].get('username')}, {settings.telegram.mode}")
    else:
        yield problem("telegram", "does not accept the token", "Copy it from @BotFather to PARLOUR_TELEGRAM__TOKEN.")


def check_slack(settings: Settings) -> Iterator[Finding]:
    """Whether Slack knows the bot's token, and in Socket Mode the app's."""
    slack = settings.slack
    bot, app = slack.bot_token.get_secret_value(), slack.app_token.get_secret_value()
    if not bot:
        yield note("slack", "off: no bot token" if not slack.client_id else "by OAuth: one token a workspace")
    else:
        yield _slack(settings, "auth.test", bot, "BOT_TOKEN")
    if bot and app and slack.mode == "socket":
        yield _slack(settings, "apps.connections.open", app, "APP_TOKEN")


def _slack(settings: Settings, method: str, token: str, setting: str) -> Finding:
    answer = _ask(f"{settings.slack.base_url}{method}", token=token)
    if answer is None:
        return problem("slack", "cannot be reached", "Check the network and PARLOUR_SLACK__BASE_URL.")
    if not answer.get("ok"):
        remedy = f"Copy it from the app's page to PARLOUR_SLACK__{setting}, and give it the manifest's scopes."
        return problem("slack", f"refuses the token: {answer.get('error')}", remedy)
    return ok("slack", f"{answer['team']}, {settings.slack.mode}" if "team" in answer else "socket mode")


def _ask(url: str, *, token: str = "") -> dict[str, Any] | None:
    """The messenger's JSON answer; None when none came."""
    try:
        # Nothing of the address may reach a log: Telegram's holds the token.
        response = httpx.post(url, headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=TIMEOUT_S)
        answer = response.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def check_turns(settings: Settings) -> Iterator[Finding]:
    """Whether turns or deliveries wait too long, and whether a messenger has rejected an account."""
    if _schema("", settings.database_url, Schema.CONTENT).state is not State.OK:
        return
    try:
        with closing(Database(settings.database_url, pool_size=1)) as database, database.read() as session:
            backlog = read_backlog(session)
            now = database.clock.now()
            stuck = read_stuck(session, now=now)
            rejected = session.scalars(select(Account.channel).where(Account.state == "rejected")).all()
    except StoreError as error:
        yield problem("turns", "cannot be read", str(error))
        return
    age = now - backlog.oldest_queued_at if backlog.oldest_queued_at else timedelta()
    yield _turns(backlog, age)
    yield from _stuck(stuck, now)
    for channel in rejected:
        yield problem(
            "accounts", f"{channel} has rejected an account's token", f"Give a new token and restart {channel}."
        )


def _turns(backlog: Backlog, age: timedelta) -> Finding:
    waiting = ", ".join(f"{count} {state}" for state, count in {**backlog.turns, **backlog.deliveries}.items() if count)
    if age > STUCK_AFTER:
        minutes = int(age.total_seconds() // 60)
        remedy = "Is a worker running? See: parlour turn list --state queued"
        return problem("turns", f"the oldest has waited for {minutes} minutes ({waiting})", remedy)
    return ok("turns", waiting or "nothing waits")


def _stuck(found: Sequence[Stuck], now: datetime) -> Iterator[Finding]:
    """What is older than it should be, each with its remedy."""
    if not found:
        yield ok("stuck work", "none")
    for one in found:
        age = timedelta(seconds=round((now - one.since).total_seconds()))
        ids = ", ".join(str(known) for known in one.ids)
        count = f"{COUNTED_AT_MOST} or more" if one.count == COUNTED_AT_MOST else str(one.count)
        yield problem("stuck work", f"{one.kind} {one.reason}: {count}, the oldest for {age} ({ids})", remedy_for(one))
