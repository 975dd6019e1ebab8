"""A process starts with settings that are valid and belong together, or stops with one line that names the setting."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from parlour.settings import Settings, SettingsError, load


def test_nothing_set_is_everything_on_one_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load({})

    assert settings.is_embedded
    assert settings.database_url == f"sqlite:///{tmp_path / 'parlour-data' / 'parlour.sqlite'}"
    assert settings.keys_url == f"sqlite:///{tmp_path / 'parlour-data' / 'keys' / 'keys.sqlite'}"
    assert settings.bus_url == ""


def test_an_empty_data_folder_is_refused_and_is_not_the_working_folder() -> None:
    with pytest.raises(SettingsError, match=r"^PARLOUR_DATA_DIR: is empty\. Name a folder"):
        load({"PARLOUR_DATA_DIR": ""})


def test_the_environment_overrides_the_file_key_by_key(tmp_path: Path) -> None:
    file = tmp_path / "parlour.toml"
    file.write_text('[web]\nhost = "0.0.0.0"\nport = 8081\n')

    settings = load({"PARLOUR_CONFIG": str(file), "PARLOUR_WEB__PORT": "9000"})

    assert (settings.web.host, settings.web.port) == ("0.0.0.0", 9000)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("123:abc\n")

    settings = load({"PARLOUR_TELEGRAM__TOKEN_FILE": str(file)})

    assert settings.telegram.token.get_secret_value() == "123:abc"


def test_lists_and_tables_are_json() -> None:
    settings = load(
        {"PARLOUR_ACCESS__ALLOWLIST": '["telegram:1", "slack:U1"]', "PARLOUR_ENGINE__LORAS": '{"care": "/loras/care"}'}
    )

    assert settings.access.allowlist == ("telegram:1", "slack:U1")
    assert settings.engine.loras == {"care": Path("/loras/care")}


def test_the_live_bus_is_the_brokers_redis_where_it_is_one() -> None:
    assert load({"PARLOUR_BROKER__URL": "redis://cache/1"}).bus_url == "redis://cache/1"
    assert load({"PARLOUR_BROKER__URL": "amqp://rabbit/"}).bus_url == ""


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"PARLOUR_WEB__PORT": "many"}, "PARLOUR_WEB__PORT"),
        ({"PARLOUR_WEB__PORT": "70000"}, "PARLOUR_WEB__PORT"),
        ({"PARLOUR_WEB__TRUSTED_PROXIES": '["*"]'}, "web.trusted_proxies"),
        ({"PARLOUR_WEB__TRUSTED_PROXIES": '["10.0.0.1/8"]'}, "web.trusted_proxies"),
        ({"PARLOUR_ENGINE__KIND": "gpt"}, "PARLOUR_ENGINE__KIND"),
        ({"PARLOUR_ENGINE__KINDD": "echo"}, "PARLOUR_ENGINE__KINDD"),
        ({"PARLOUR_ENGIN__KIND": "echo"}, "PARLOUR_ENGIN__KIND"),
        ({"PARLOUR_ACCESS__ALLOWLIST": "telegram:1"}, "PARLOUR_ACCESS__ALLOWLIST"),
        ({"PARLOUR_ENGINE__KIND": "openai"}, "engine.base_url"),
        ({"PARLOUR_IS_PRODUCTION": "true"}, "broker.url"),
        ({"PARLOUR_DATABASE__URL": "mysql://x"}, "database.url"),
        ({"PARLOUR_BROKER__URL": "http://x"}, "broker.url"),
        ({"PARLOUR_BUS__URL": "amqp://x"}, "bus.url"),
        ({"PARLOUR_TELEGRAM__TOKEN": "1:a", "PARLOUR_TELEGRAM__MODE": "webhook"}, "telegram.webhook_secret"),
        ({"PARLOUR_SLACK__BOT_TOKEN": "xoxb-a"}, "slack.app_token"),
        ({"PARLOUR_SLACK__BOT_TOKEN": "xoxb-a", "PARLOUR_SLACK__MODE": "http"}, "slack.signing_secret"),
        ({"PARLOUR_SLACK__CLIENT_ID": "1.2"}, "slack.client_secret"),
        ({"PARLOUR_TELEGRAM__TOKEN_FILE": "/no/such/file"}, "PARLOUR_TELEGRAM__TOKEN_FILE"),
        ({"PARLOUR_CONFIG": "/no/such/parlour.toml"}, "PARLOUR_CONFIG"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(environment)

    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_toml_is_told_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "parlour.toml"
    file.write_text("[web\nport = 1")

    with pytest.raises(SettingsError, match="line 1"):
        load({"PARLOUR_CONFIG": str(file)})


@pytest.mark.parametrize(
    "environment",
    [
        {"PARLOUR_TELEGRAM__TOKEN": "123:marker", "PARLOUR_TELEGRAM__MODE": "marker"},
        {"PARLOUR_TELEGRAM__WEBHOOK_SECRETS": "marker"},
        {"PARLOUR_ENGINE__LORAS": "marker"},
        {"PARLOUR_DATABASE__URL": "mysql://me:marker@db/x"},
        {"PARLOUR_BROKER__URL": "http://me:marker@broker"},
    ],
)
def test_a_complaint_does_not_repeat_the_value(environment: dict[str, str]) -> None:
    """It may be a secret, or hold one."""
    with pytest.raises(SettingsError) as error:
        load(environment)

    assert "marker" not in str(error.value)


def test_secrets_do_not_show_in_the_settings_text() -> None:
    settings = load({"PARLOUR_TELEGRAM__TOKEN": "1:marker", "PARLOUR_ENGINE__API_KEY": "marker"})

    assert "marker" not in repr(settings)
    assert "marker" not in str(settings.model_dump())


def test_every_setting_says_what_it_means() -> None:
    sections = [info.annotation for info in Settings.model_fields.values()]
    models = [kind for kind in (Settings, *sections) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    silent = [
        f"{model.__name__}.{name}"
        for model in models
        for name, info in model.model_fields.items()
        if not info.description and info.annotation not in models
    ]

    assert silent == []


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("PARLOUR_DATABASE__URL", "postgresql://db/parlour", "database.url"),
        ("PARLOUR_BROKER__URL", "redis://cache/1", "broker.url"),
        ("PARLOUR_BROKER__URL", "amqp://broker/", "broker.url"),
        ("PARLOUR_BUS__URL", "redis://cache/1", "bus.url"),
    ],
)
def test_skills_in_the_workers_process_are_refused_in_production(name: str, value: str, named: str) -> None:
    assert load({"PARLOUR_SKILLS__ISOLATION": "inline"}).skills.isolation == "inline"

    with pytest.raises(SettingsError, match=rf"skills\.isolation: inline is for development, and {named} is") as told:
        load({"PARLOUR_SKILLS__ISOLATION": "inline", name: value})

    assert "\n" not in str(told.value)
