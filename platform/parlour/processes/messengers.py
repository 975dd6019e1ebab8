"""Which channels this installation has, and the HTTP application around them."""

from collections.abc import Callable, Sequence

from starlette.applications import Starlette

from parlour.admin.api.app import api_routes
from parlour.admin.app import build_app
from parlour.admin.health import Check, Health
from parlour.admin.site import add_pages
from parlour.bootstrap import Platform
from parlour.channels.protocol import Channel
from parlour.channels.slack import SlackChannel
from parlour.channels.talk import folder_id
from parlour.channels.telegram import TelegramChannel
from parlour.channels.terminal import TerminalChannel
from parlour.channels.web import WebChannel
from parlour.processes.gateway import Gateway
from parlour.sections import SlackSettings, TelegramSettings
from parlour.turns import commands

# A file in a browser's request is a third longer than itself, and some room for the rest.
_BODY_OVERHEAD = 1.4
_BODY_SMALLEST = 4_000_000


def build_channels(platform: Platform) -> list[Channel]:
    """The web page always; Telegram and Slack where their settings name a bot."""
    settings = platform.settings
    channels: list[Channel] = [
        WebChannel(
            history=platform.history,
            bus=platform.bus,
            sealer=platform.sealer,
            clock=platform.clock,
            is_secure=settings.web.is_secure,
            max_attachment_bytes=settings.turns.max_attachment_bytes,
        )
    ]
    if settings.telegram.token.get_secret_value():
        channels.append(_telegram(settings.telegram))
    if settings.slack.bot_token.get_secret_value() or settings.slack.client_id:
        channels.append(_slack(settings.slack))
    return channels


def build_terminal(platform: Platform, token: str) -> Channel:
    """The terminals of this machine that know the data folder's token."""
    return TerminalChannel(
        history=platform.history,
        bus=platform.bus,
        sealer=platform.sealer,
        clock=platform.clock,
        folder=folder_id(platform.settings.data_dir),
        token=token,
    )


def make_app(
    platform: Platform, channels: Sequence[Channel], checks: dict[str, Check]
) -> Callable[[Gateway], Starlette]:
    """Builds the gateway's application once the gateway exists: readiness asks which channels are open."""

    def build(gateway: Gateway) -> Starlette:
        def broker_answers() -> None:
            platform.queue.depth()

        def channels_open() -> None:
            closed = sorted({channel.name for channel in channels} - gateway.open_channels)
            if closed:
                raise NotReady(f"not open: {', '.join(closed)}")

        platform.metrics.registry.register(platform.backlog_collector())
        health = Health(
            {
                "database": platform.database.ping,
                "keys": platform.privacy.key_store.ping,
                "broker": broker_answers,
                "channels": channels_open,
                **checks,
            }
        )
        app = build_app(
            # The API takes all that is under `/api`, so what channels have there comes first.
            [*(route for channel in channels for route in channel.routes()), *api_routes(platform)],
            health,
            registry=platform.metrics.registry,
            is_secure=platform.settings.web.is_secure,
            max_body_bytes=max(
                _BODY_SMALLEST, int(platform.settings.turns.max_attachment_bytes * _BODY_OVERHEAD) + 1_000_000
            ),
        )
        add_pages(app, platform)
        return app

    return build


class NotReady(Exception):
    """A part of this process cannot do its work yet."""


def _telegram(settings: TelegramSettings) -> Channel:
    return TelegramChannel(
        settings.token.get_secret_value(),
        mode=settings.mode,
        webhook_secret=settings.webhook_secret.get_secret_value(),
        webhook_url=settings.webhook_url,
        base_url=settings.base_url,
        commands=[(command.name, command.english, command.chinese) for command in commands.ALL],
    )


def _slack(settings: SlackSettings) -> Channel:
    return SlackChannel(
        commands=[command.name for command in commands.ALL],
        bot_token=settings.bot_token.get_secret_value(),
        app_token=settings.app_token.get_secret_value(),
        signing_secret=settings.signing_secret.get_secret_value(),
        mode=settings.mode,
        base_url=settings.base_url,
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        redirect_url=settings.redirect_url,
    )
