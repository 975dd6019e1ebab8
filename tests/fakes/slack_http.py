"""The fake Slack's HTTP side: Web API, OAuth, files, sockets, faults, limits, and the control API."""

import asyncio
import inspect
import json
from base64 import b64decode
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.fakes.faults import Fault, FaultPlan
from tests.fakes.slack_delivery import DELIVERY_FAULTS, Delivery
from tests.fakes.slack_methods import TIERS, Methods, Params
from tests.fakes.slack_people import People
from tests.fakes.slack_world import APP_ID, Json, Refused, World, shown

_SECRET = frozenset({"token", "client_secret"})


class SlackApp:
    """One Slack app's Slack behind HTTP. Everything runs in the event loop that serves it."""

    def __init__(self, world: World, *, base_url: str, seed: int = 0) -> None:
        self.world = world
        self.base_url = base_url
        self.faults = FaultPlan(seed=seed)
        self.delivery = Delivery(world, self.faults)
        self.people = People(world, self.delivery, base_url=base_url)
        self.methods = Methods(world)
        self.has_limits = False
        self._calls: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._tickets: set[str] = set()

    def build(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=20_000_000)
        app.router.add_route("*", "/api/{method}", self._handle_method)
        app.router.add_get("/oauth/v2/authorize", self._handle_authorize)
        app.router.add_get("/files-pri/{id}/{name}", self._handle_file)
        app.router.add_post("/upload/{id}", self._handle_upload)
        app.router.add_post("/response/{id}", self._handle_response_url)
        app.router.add_get("/link", self._handle_socket)
        app.router.add_get("/_fake/{what}", self._handle_control)
        app.router.add_post("/_fake/{what}", self._handle_control)
        app.on_shutdown.append(self._stop)
        return app

    # ---- Web API ------------------------------------------------------------------------------------------------

    async def _handle_method(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        params = await _read_params(request)
        chat = params.get("channel") or params.get("channel_id")
        fault = self.faults.take(method, chat, kinds=lambda kind: kind not in DELIVERY_FAULTS)
        if fault is not None:
            self.world.note("fault", kind=fault.kind, method=method, channel=chat)
        return await self._answer(request, lambda: self._run(request, method, params), fault)

    async def _answer(
        self, request: web.Request, work: Callable[[], web.Response], fault: Fault | None
    ) -> web.StreamResponse:
        """Do the work and answer, as far as the fault lets it."""
        before = _before_work(request, fault)
        if before is not None:
            return before
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        answer = work()
        if fault is not None and fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind in {"hang", "lose"}:
            return _hang_up(request)
        return _crash(fault.status) if fault is not None and fault.kind == "error_after" else answer

    def _run(self, request: web.Request, method: str, params: Params) -> web.Response:
        about = {name: value for name, value in params.items() if name not in _SECRET}
        self.world.note("called", method=method, params=about)
        try:
            token = _token(request, params)
            self._check_limits(method, token, params)
            match method:
                case "apps.connections.open":
                    answer = self._open_connection(token)
                case "oauth.v2.access":
                    answer = self._exchange(request, params)
                case _:
                    answer = self.methods.run(method, token, params)
        except Refused as refused:
            self.world.note("refused", method=method, error=refused.code)
            return _refusal(refused)
        return web.json_response({"ok": True, **answer})

    def _check_limits(self, method: str, token: str | None, params: Params) -> None:
        """Slack's documented limits, when they are on: a tier for a workspace, and one post a second in a channel."""
        if not self.has_limits:
            return
        if method == "chat.postMessage":
            # "Short bursts of more than one a second are allowed."
            key, calls, period_s = (method, str(params.get("channel"))), 3, 3.0
        elif method in TIERS:
            key, calls, period_s = (method, str(token)), TIERS[method], 60.0
        else:
            return
        made, now = self._calls[key], self.world.now()
        while made and made[0] <= now - period_s:
            made.popleft()
        if len(made) >= calls:
            wait_s = int(made[0] + period_s - now) + 1
            self.world.note("throttled", method=method, channel=params.get("channel"), retry_after=wait_s)
            raise Refused("ratelimited", status=429, retry_after=wait_s)
        made.append(now)

    def _open_connection(self, token: str | None) -> Json:
        if not token:
            raise Refused("not_authed")
        if token != self.world.app_token:
            raise Refused("invalid_auth" if token.startswith("xapp-") else "not_allowed_token_type")
        ticket = self.world.new_id("ticket-")
        self._tickets.add(ticket)
        return {
            "url": f"{self.base_url.replace('http', 'ws', 1)}/link?{urlencode({'ticket': ticket, 'app_id': APP_ID})}"
        }

    def _exchange(self, request: web.Request, params: Params) -> Json:
        """oauth.v2.access: a code, good for one use, for a token."""
        client_id, secret = params.get("client_id"), params.get("client_secret")
        if "Authorization" in request.headers and request.headers["Authorization"].startswith("Basic "):
            client_id, _, secret = b64decode(request.headers["Authorization"][6:]).decode().partition(":")
        if client_id != self.world.client_id:
            raise Refused("invalid_client_id")
        if secret != self.world.client_secret:
            raise Refused("bad_client_secret")
        team_id, redirect = self.world.codes.pop(str(params.get("code") or ""), ("", ""))
        team = self.world.teams.get(team_id)
        if team is None:
            raise Refused("invalid_code")
        if redirect and redirect != params.get("redirect_uri"):
            raise Refused("bad_redirect_uri")
        team.is_installed = True
        self.world.revoked.discard(team.bot_token)
        return {
            "app_id": APP_ID,
            "authed_user": {"id": "U0INSTALLER"},
            "scope": ",".join(sorted(team.scopes)),
            "token_type": "bot",
            "access_token": team.bot_token,
            "bot_user_id": team.bot_user_id,
            "team": {"id": team.id, "name": team.name},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    async def _handle_authorize(self, request: web.Request) -> web.StreamResponse:
        """Slack's question whether to install the app; the fake's person says yes, or no with `&deny=1`.

        `&team=` names the workspace; else it is the first in which the app is not installed yet.
        """
        query = request.query
        if query.get("client_id") != self.world.client_id:
            return web.Response(status=400, text="invalid client_id")
        redirect = query.get("redirect_uri", "")
        if not redirect:
            return web.Response(status=400, text="no redirect_uri, and none in the app's settings")
        if "deny" in query:
            answer = {"error": "access_denied"}
        else:
            fresh = [team.id for team in self.world.teams.values() if not team.is_installed]
            team_id = query.get("team") or (fresh or list(self.world.teams))[0]
            code = self.world.new_id("code-")
            self.world.codes[code] = (team_id, redirect)
            answer = {"code": code}
        self.world.note("authorized", scope=query.get("scope"), denied="deny" in query)
        raise web.HTTPFound(f"{redirect}?{urlencode(answer | {'state': query.get('state', '')})}")

    async def _handle_file(self, request: web.Request) -> web.StreamResponse:
        file = self.world.files.get(request.match_info["id"].rpartition("-")[2])
        fault = self.faults.take("download", None, kinds=lambda kind: kind not in DELIVERY_FAULTS)

        def work() -> web.Response:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            self.world.note("downloaded", file=request.match_info["id"], has_token=bool(token))
            team = self.world.teams.get(file.team) if file else None
            if file is None or team is None or token != team.bot_token or "files:read" not in team.scopes:
                # So does Slack: a page to log in, and 200.
                return web.Response(text="<html>Sign in</html>", content_type="text/html")
            return web.Response(body=file.content, content_type=file.about["mimetype"])

        return await self._answer(request, work, fault)

    async def _handle_upload(self, request: web.Request) -> web.StreamResponse:
        """The bytes of an announced file, as many as were announced."""
        file = self.world.files.get(request.match_info["id"])
        content = await request.read()
        fault = self.faults.take("upload", None, kinds=lambda kind: kind not in DELIVERY_FAULTS)

        def work() -> web.Response:
            if file is None or len(content) != file.about["size"]:
                return web.Response(status=400, text="file size mismatch")
            file.content = content
            self.world.note("uploaded", file=file.about["id"], size=len(content))
            return web.Response(text=f"OK - {len(content)}")

        return await self._answer(request, work, fault)

    async def _handle_response_url(self, request: web.Request) -> web.Response:
        self.world.note("response_url", body=await request.json())
        return web.json_response({"ok": True})

    async def _handle_socket(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=401)
        if fault := self.faults.take("socket", None, kinds=lambda kind: kind not in DELIVERY_FAULTS):
            self.world.note("fault", kind=fault.kind, method="socket", channel=None)
            return _before_work(request, fault) or _hang_up(request)
        self._tickets.discard(ticket)
        return await self.delivery.serve(request)

    # ---- control ------------------------------------------------------------------------------------------------

    async def _handle_control(self, request: web.Request) -> web.Response:
        given: Json = dict(request.query)
        if request.can_read_body:
            given |= await request.json()
        try:
            result = await self.control(request.match_info["what"], given)
        except (TypeError, ValueError, KeyError, Refused) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        return web.json_response(result)

    async def control(self, what: str, given: Json) -> Any:
        """Any deed of `People`, or one of the controls below, by name."""
        work = getattr(self, f"control_{what}", None) or getattr(self.people, what, None)
        if work is None or what.startswith("_"):
            raise ValueError(f"No {what!r}. There are: {', '.join(self.control_help())}")
        result = work(**given)
        return await result if inspect.isawaitable(result) else result

    def control_help(self) -> Json:
        """What there is, with its arguments."""
        found: Json = {}
        for owner, prefix in ((self, "control_"), (self.people, "")):
            for name, work in inspect.getmembers(owner, inspect.ismethod):
                if name.startswith(prefix) and not name.startswith("_") and (prefix or name != "control"):
                    summary = (work.__doc__ or "").split("\n")[0]
                    found[name.removeprefix(prefix)] = f"{inspect.signature(work)}: {summary}"
        return found

    def control_journal(self, since: int | str = 0) -> list[Json]:
        """All that happened, in order, from number `since` on."""
        return self.world.journal[int(since) :]

    def control_channels(self) -> list[Json]:
        """Every channel with what stands in it, as people see it."""
        return [
            {
                "id": channel.id,
                "team": channel.team,
                "kind": channel.kind,
                "user": channel.user,
                "messages": [
                    {
                        **message,
                        "shown": shown(message),
                        "is_streaming": (channel.id, message["ts"]) in self.world.streams,
                    }
                    for message in channel.in_order()
                ],
            }
            for channel in self.world.channels.values()
        ]

    def control_state(self) -> Json:
        """Workspaces, open connections, events not taken yet, open streams, assistant threads, faults in force."""
        return {
            "teams": [
                {"id": team.id, "name": team.name, "bot_user_id": team.bot_user_id, "is_installed": team.is_installed}
                for team in self.world.teams.values()
            ],
            "sockets": len(self.delivery.sockets),
            "pending": list(self.delivery.pending),
            "streams": [list(key) for key in self.world.streams],
            "assistant": [
                {"channel": channel, "thread_ts": thread, **pane}
                for (channel, thread), pane in self.world.assistant.items()
            ],
            "faults": self.faults.describe(),
        }

    def control_fault(self, kind: str, **options: Any) -> Json:
        """Put a fault in force: see `faults.Fault`; `refuse` answers with the error `description`."""
        self.faults.add(Fault(kind, **options))  # type: ignore[arg-type]
        if kind == "down" and options.get("method") is None:
            self.delivery.cut()
        return {}

    def control_heal(self) -> Json:
        """Take all faults away, and send what was held back."""
        self.faults.clear()
        self.delivery.release()
        return {}

    def control_seed(self, seed: int | str) -> Json:
        """Start the faults' dice anew."""
        self.faults.seed(int(seed))
        return {}

    def control_limits(self, *, on: bool) -> Json:
        """Slack's documented limits, on or off."""
        self.has_limits = on
        return {}

    def control_events_url(self, url: str) -> Json:
        """Where to send events over HTTP; empty: over sockets."""
        self.delivery.events_url = url
        return {}

    def control_timing(self, *, ack_timeout_s: float | None = None, retry_delays_s: list[float] | None = None) -> Json:
        """How long to wait for an acknowledgement, and when to send again."""
        if ack_timeout_s is not None:
            self.delivery.ack_timeout_s = ack_timeout_s
        if retry_delays_s is not None:
            self.delivery.retry_delays_s = tuple(retry_delays_s)
        return {}

    def control_redeliver(self, count: int | str = 1) -> Json:
        """Send the last events once more."""
        return {"count": self.delivery.redeliver(int(count))}

    async def control_disconnect(self, reason: str = "refresh_requested") -> Json:
        """Ask every socket to be replaced."""
        return {"count": await self.delivery.disconnect(reason)}

    def control_cut(self) -> Json:
        """Tear every socket."""
        return {"count": self.delivery.cut()}

    def control_idle(self) -> Json:
        """Let every open stream have idled for too long."""
        for stream in self.world.streams.values():
            stream.changed_at = float("-inf")
        return {}

    def control_grant(self, *, scopes: list[str] | None = None, events: list[str] | None = None) -> Json:
        """Grant these scopes and send these events only, as a manifest would."""
        if scopes is not None:
            for team in self.world.teams.values():
                team.scopes = frozenset(scopes)
        if events is not None:
            self.world.events = frozenset(events)
        return {}

    async def _stop(self, _: web.Application) -> None:
        await self.delivery.close()


async def _read_params(request: web.Request) -> Json:
    """Arguments from the address, a form or JSON, as Slack takes them."""
    params: Json = dict(request.query)
    if request.content_type == "application/json":
        body = await request.text()
        given = json.loads(body) if body else {}
        return params | (given if isinstance(given, dict) else {})
    if request.content_type in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        params |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return params


def _token(request: web.Request, params: Params) -> str | None:
    header = request.headers.get("Authorization", "")
    token = header.removeprefix("Bearer ").strip() if header.startswith("Bearer") else str(params.get("token") or "")
    return token or None


def _refusal(refused: Refused) -> web.Response:
    headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after is not None else None
    return web.json_response(
        {"ok": False, "error": refused.code, **refused.more}, status=refused.status, headers=headers
    )


def _before_work(request: web.Request, fault: Fault | None) -> web.StreamResponse | None:
    """The answer of a fault that lets nothing be done, None when the work is to be done."""
    match fault.kind if fault else None:
        case "down" | "reset":
            return _hang_up(request)
        case "throttle":
            return _refusal(Refused("ratelimited", status=429, retry_after=fault.retry_after if fault else 1))
        case "error_before":
            return _crash(fault.status if fault else 502)
        case "refuse":
            return _refusal(Refused(fault.description if fault else ""))
    return None


def _crash(status: int) -> web.Response:
    """What a server in front of Slack's says."""
    return web.Response(status=status, text="<html>upstream error</html>", content_type="text/html")


def _hang_up(request: web.Request) -> web.StreamResponse:
    """Reset the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
