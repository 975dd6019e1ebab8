"""The manifests ask for what the code uses, and for no more."""

import re
from pathlib import Path

import pytest

from parlour.channels.slack_oauth import SCOPES
from parlour.turns import commands
from tests.fakes.slack_methods import SCOPES as METHOD_SCOPES
from tests.support.manifest import read_manifest

ROOT = Path(__file__).parents[3]
SOURCE = "\n".join(path.read_text() for path in sorted((ROOT / "platform/parlour/channels").glob("slack*.py")))
MANIFESTS = {path.stem: read_manifest(path) for path in sorted((ROOT / "deploy").glob("slack-manifest*.yaml"))}
# https://docs.slack.dev/reference/events
EVENT_SCOPES = {
    "app_mention": {"app_mentions:read"},
    "app_uninstalled": set(),
    "assistant_thread_started": {"assistant:write"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "message.mpim": {"mpim:history"},
    "tokens_revoked": set(),
}
# What Slack keeps for itself; it refuses a manifest that has one of these.
RESERVED = frozenset(
    [
        *(
            "apps",
            "archive",
            "away",
            "call",
            "collapse",
            "dnd",
            "expand",
            "feed",
            "invite",
            "join",
            "leave",
            "me",
            "msg",
        ),
        *(
            "mute",
            "open",
            "prefs",
            "pro",
            "remind",
            "remove",
            "rename",
            "search",
            "shortcuts",
            "shrug",
            "star",
            "status",
        ),
        *("topic", "who"),
    ]
)

every_manifest = pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)


def called_methods() -> set[str]:
    found = set(re.findall(r'"((?:chat|conversations|users|files|assistant\.threads)\.[a-zA-Z]+)"', SOURCE))
    return found - {"chat.delete"}  # named only as one that would be an edit


def handled_events() -> set[str]:
    cases = re.findall(r'^ +case ((?:"[a-z_]+"(?: \| )?)+)', SOURCE, re.MULTILINE)
    handled = {event for case in cases for event in re.findall(r'"([a-z_]+)"', case)}
    kinds = {"message.channels", "message.groups", "message.im", "message.mpim"}
    return handled - {"message"} | kinds


def needed_scopes() -> set[str]:
    needed = {"commands"}.union(*(EVENT_SCOPES[event] for event in handled_events()))
    for method in called_methods():
        any_of = set(METHOD_SCOPES[method])
        # Reading a conversation takes the scope of its kind; for the rest the first is the narrowest.
        needed |= any_of if method in {"conversations.history", "conversations.replies"} else {METHOD_SCOPES[method][0]}
    return needed


def test_there_is_one_for_sockets_and_one_for_http() -> None:
    modes = {name: manifest["settings"]["socket_mode_enabled"] for name, manifest in MANIFESTS.items()}

    assert modes == {"slack-manifest": True, "slack-manifest-http": False}


@every_manifest
def test_its_scopes_are_those_of_the_methods_called_and_the_events_heard(manifest: dict) -> None:
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == needed_scopes()
    assert "user" not in manifest["oauth_config"]["scopes"]


def test_an_installation_asks_for_the_same_scopes() -> None:
    assert set(SCOPES) == needed_scopes()


@every_manifest
def test_its_events_are_those_that_the_code_handles(manifest: dict) -> None:
    assert set(manifest["settings"]["event_subscriptions"]["bot_events"]) == handled_events()


@every_manifest
def test_its_commands_are_those_that_work_in_the_chat(manifest: dict) -> None:
    listed = [entry["command"] for entry in manifest["features"]["slash_commands"]]

    assert sorted(listed) == sorted(f"/{command.name}" for command in commands.ALL)
    assert all(entry["description"] for entry in manifest["features"]["slash_commands"])
    assert {name.removeprefix("/") for name in listed} & RESERVED == set()


@every_manifest
def test_nothing_is_switched_on_that_parlour_cannot_do(manifest: dict) -> None:
    settings = manifest["settings"]

    assert (settings["org_deploy_enabled"], settings["token_rotation_enabled"]) == (False, False)
    assert settings["interactivity"]["is_enabled"] is True


def test_the_two_differ_in_addresses_only() -> None:
    socket = (ROOT / "deploy/slack-manifest.yaml").read_text().splitlines()
    http = (ROOT / "deploy/slack-manifest-http.yaml").read_text().splitlines()

    added = [line.strip() for line in http if line not in socket and not line.startswith("#")]

    assert [line for line in socket if line not in http and not line.startswith("#")] == ["  socket_mode_enabled: true"]
    assert all(
        "https://parlour.example.org/slack/" in line or line in {"redirect_urls:", "socket_mode_enabled: false"}
        for line in added
    )


def test_every_scope_is_explained() -> None:
    page = (ROOT / "docs/slack.md").read_text()

    assert [scope for scope in SCOPES if f"`{scope}`" not in page] == []
