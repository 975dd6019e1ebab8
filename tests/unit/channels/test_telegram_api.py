"""The bot's HTTP: which way it goes, and what it says of a request that could not be made."""

import pytest
from telegram.request import RequestData

from parlour.channels.telegram_api import AnswerLost, Request, RequestNeverSent, make_bot

_NOBODY = "http://127.0.0.1:9/bot"


@pytest.mark.parametrize(
    ("base_url", "environment", "proxy"),
    [
        ("https://api.telegram.org/bot", {"https_proxy": "http://gate:3128"}, "http://gate:3128"),
        ("https://api.telegram.org/bot", {"all_proxy": "http://gate:3128"}, "http://gate:3128"),
        ("https://api.telegram.org/bot", {"https_proxy": "http://gate:3128", "no_proxy": "telegram.org"}, None),
        ("http://127.0.0.1:8081/bot", {"https_proxy": "http://gate:3128"}, None),
        ("https://api.telegram.org/bot", {}, None),
    ],
)
def test_the_environments_proxy_is_used(
    base_url: str, environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert Request(base_url, connections=1, read_timeout_s=1)._proxy == proxy


async def test_a_request_before_the_start_or_after_the_end_was_never_sent() -> None:
    request = Request(_NOBODY, connections=1, read_timeout_s=1)
    await request.initialize()
    await request.shutdown()

    with pytest.raises(RequestNeverSent) as never:
        await request.do_request(f"{_NOBODY}123:secret/getMe", "POST", RequestData([]))

    assert not isinstance(never.value, AnswerLost)
    assert "secret" not in str(never.value)


async def test_the_two_kinds_of_request_wait_differently() -> None:
    bot = make_bot("123:secret", _NOBODY, timeout_s=7)

    assert bot.request.read_timeout == 7
