"""The fake's HTTP side: the Bot API, file downloads, long polling, webhooks, faults, and the control API."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp import web

from tests.fakes.faults import Fault, FaultPlan
from tests.fakes.telegram_methods import Methods, Params, Upload, too_many
from tests.fakes.telegram_people import People
from tests.fakes.telegram_world import ApiError, Json, World

_WRONG_TOKEN = ApiError(401, "Unauthorized")
_WEBHOOK_IS_SET = ApiError(
    409,
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
)
_NO_METHOD = ApiError(404, "Not Found: method not found")
_UPDATE_FAULTS = {"redeliver", "reorder", "duplicate"}
# A real server waits longer; a test does not want to.
_WEBHOOK_RETRY_S = 0.05


class TelegramApp:
    """One bot's Telegram behind HTTP. Everything runs in the event loop that serves it."""

    def __init__(self, world: World, *, seed: int = 0) -> None:
        self.world = world
        self.people = People(world)
        self.methods = Methods(world)
        self.faults = FaultPlan(seed=seed)
        self.polls = 0
        self._arrived = asyncio.Event()
        self._poll: asyncio.Task[Any] | None = None
        self._replay: list[Json] = []
        self.webhook: Json = {}
        # Where updates go besides, at the same time.
        self._mirrors: list[str] = []
        self._webhook_task: asyncio.Task[None] | None = None
        self._deliveries: dict[str, asyncio.Task[None]] = {}
        self._noted = asyncio.Event()
        world.on_update = self._arrived.set
        world.on_note = self._noted.set

    def build(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=60_000_000)
        app.router.add_route("*", "/bot{token}/{method}", self._handle_method)
        app.router.add_get("/file/bot{token}/{path:.*}", self._handle_file)
        app.router.add_get("/_fake/{what}", self._handle_look)
        app.router.add_post("/_fake/{what}", self._handle_control)
        app.on_shutdown.append(self._stop)
        return app

    # ---- Bot API ------------------------------------------------------------------------------------------------

    async def _handle_method(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        params = await _read_params(request)
        chat = None if params.get("chat_id") is None else str(params.get("chat_id"))
        fault = self.faults.take(method, chat, kinds=lambda kind: kind not in _UPDATE_FAULTS)
        if fault is not None:
            self.world.note("fault", kind=fault.kind, method=method, chat=chat)
        return await self._answer(request, lambda: self._run(request, method, params), fault)

    async def _answer(
        self, request: web.Request, work: Callable[[], Awaitable[web.Response]], fault: Fault | None
    ) -> web.StreamResponse:
        """Do the work and answer, as far as the fault lets it."""
        if fault is None:
            return await work()
        instead = _answer_instead(request, fault)
        if instead is not None:
            return instead
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        answer = await work()
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        if fault.kind in {"lose", "hang"}:
            return _hang_up(request)
        return _crash(fault.status) if fault.kind == "error_after" else answer

    async def _run(self, request: web.Request, method: str, params: Params) -> web.Response:
        try:
            if request.match_info["token"] != self.world.token:
                raise _WRONG_TOKEN
            result = await self._dispatch(method.lower(), params)
        except ApiError as error:
            self.world.note(
                "refused", method=method, chat=params.get("chat_id"), status=error.status, why=error.description
            )
            return _failure(error)
        return web.json_response({"ok": True, "result": result})

    async def _dispatch(self, method: str, params: Params) -> Any:
        match method:
            case "getupdates":
                return await self._get_updates(params)
            case "setwebhook":
                return await self._set_webhook(params)
            case "deletewebhook":
                return await self._delete_webhook(params)
            case "getwebhookinfo":
                return self._webhook_info()
        work = self.methods.table.get(method)
        if work is None:
            raise _NO_METHOD
        return work(params)

    async def _handle_file(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.world.token:
            return _failure(_WRONG_TOKEN)
        path = request.match_info["path"]
        fault = self.faults.take("downloadFile", None)
        stored = next((one for one in self.world.files.values() if one.path == path), None)
        if stored is None:
            return _failure(_NO_METHOD)

        async def work() -> web.Response:
            return web.Response(body=stored.content, content_type="application/octet-stream")

        return await self._answer(request, work, fault)

    # ---- polling ------------------------------------------------------------------------------------------------

    async def _get_updates(self, params: Params) -> list[Json]:
        if self.webhook:
            raise _WEBHOOK_IS_SET
        if self._poll is not None and not self._poll.done():
            self._poll.cancel()
        self.world.allow(params.parsed("allowed_updates"))
        self._move_offset(params.number("offset"))
        task = asyncio.ensure_future(self._wait_for_updates(params.number("timeout", 0) or 0))
        self._poll = task
        try:
            await task
        except asyncio.CancelledError:
            if self._poll is task:
                raise
            raise ApiError(
                409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
            ) from None
        return self._batch(min(max(params.number("limit", 100) or 100, 1), 100))

    def _move_offset(self, offset: int | None) -> None:
        """Confirm what lies below the offset; a negative one keeps only so many of the newest."""
        if offset is None:
            return
        newest = self.world.pending[-1]["update_id"] if self.world.pending else 0
        if offset < 0 and self.world.pending:
            kept = self.world.pending[offset:]
            self.world.confirm_below(kept[0]["update_id"])
        elif 0 < offset <= newest + 1:
            self.world.confirm_below(offset)

    async def _wait_for_updates(self, timeout_s: int) -> None:
        self.polls += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(timeout_s, 50)):
                while not self.world.pending and not self._replay:
                    self._arrived.clear()
                    await self._arrived.wait()

    def _batch(self, limit: int) -> list[Json]:
        """The updates that one getUpdates answers with."""
        if self.faults.take("getUpdates", None, kinds=lambda kind: kind == "redeliver"):
            self._replay += self.world.confirmed[-limit:]
        batch = [*self._replay, *self.world.pending][:limit]
        self._replay = []
        if self.faults.take("getUpdates", None, kinds=lambda kind: kind == "reorder"):
            batch = self.faults.shuffled(batch)
        if batch:
            self.world.note("served", update_ids=[update["update_id"] for update in batch])
        return batch

    def redeliver(self, count: int = 1) -> int:
        """Serve the last `count` confirmed updates once more; returns how many there were."""
        again = self.world.confirmed[-count:]
        if self.webhook:
            self.world.pending[:0] = again
        else:
            self._replay += again
        self._arrived.set()
        return len(again)

    # ---- webhooks -----------------------------------------------------------------------------------------------

    async def _set_webhook(self, params: Params) -> bool:
        url = str(params.get("url") or "")
        if not url:
            return await self._delete_webhook(params)
        self.world.allow(params.parsed("allowed_updates"))
        if params.flag("drop_pending_updates"):
            self.world.pending.clear()
        self.webhook = {
            "url": url,
            "secret": params.get("secret_token"),
            "max_connections": params.number("max_connections", 40),
        }
        if self._webhook_task is None or self._webhook_task.done():
            self._webhook_task = asyncio.ensure_future(self._push_updates())
        return True

    async def _delete_webhook(self, params: Params) -> bool:
        if params.flag("drop_pending_updates"):
            self.world.pending.clear()
        self.webhook = {}
        if self._webhook_task is not None:
            self._webhook_task.cancel()
            await asyncio.gather(self._webhook_task, *self._deliveries.values(), return_exceptions=True)
        return True

    def _webhook_info(self) -> Json:
        return {
            "url": self.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": len(self.world.pending),
            "max_connections": self.webhook.get("max_connections", 40),
            **(
                {"last_error_message": self.webhook["last_error"], "last_error_date": 0}
                if "last_error" in self.webhook
                else {}
            ),
        }

    async def _push_updates(self) -> None:
        """Deliver what waits: in order within a chat, different chats side by side."""
        connector = aiohttp.TCPConnector(limit=int(self.webhook["max_connections"] or 40))
        async with aiohttp.ClientSession(connector=connector) as session:
            try:
                while True:
                    self._arrived.clear()
                    for update in list(self.world.pending):
                        key = _queue_key(update)
                        if key not in self._deliveries:
                            self._deliveries[key] = asyncio.ensure_future(self._push_queue(session, key))
                    await self._arrived.wait()
            finally:
                for task in self._deliveries.values():
                    task.cancel()

    async def _push_queue(self, session: aiohttp.ClientSession, key: str) -> None:
        """Deliver one chat's updates one after another, each until it is taken."""
        try:
            while mine := [update for update in self.world.pending if _queue_key(update) == key]:
                if self.faults.take("webhook", None, kinds=lambda kind: kind == "reorder"):
                    mine = self.faults.shuffled(mine)
                update = mine[0]
                copies = 2 if self.faults.take("webhook", None, kinds=lambda kind: kind == "duplicate") else 1
                taken = [await self._push(session, update) for _ in range(copies)]
                if any(taken):
                    self.world.pending = [one for one in self.world.pending if one is not update]
                    self.world.confirmed.append(update)
                else:
                    await asyncio.sleep(_WEBHOOK_RETRY_S)
        finally:
            del self._deliveries[key]
            self._arrived.set()

    async def _push(self, session: aiohttp.ClientSession, update: Json) -> bool:
        secret = self.webhook.get("secret")
        headers = {"X-Telegram-Bot-Api-Secret-Token": str(secret)} if secret else {}
        urls = [self.webhook["url"], *self._mirrors]
        taken = [self._post_update(session, url, update, headers) for url in urls]
        return any(await asyncio.gather(*taken))

    async def _post_update(
        self, session: aiohttp.ClientSession, url: str, update: Json, headers: dict[str, str]
    ) -> bool:
        status: int | str
        try:
            async with session.post(url, json=update, headers=headers) as answer:
                status = answer.status
        except aiohttp.ClientError as error:
            status = type(error).__name__
        self.world.note("webhook", update_id=update["update_id"], status=status)
        if isinstance(status, int) and 200 <= status < 300:
            return True
        self.webhook["last_error"] = f"Wrong response from the webhook: {status}"
        return False

    # ---- control ------------------------------------------------------------------------------------------------

    async def _handle_look(self, request: web.Request) -> web.Response:
        match request.match_info["what"]:
            case "journal":
                return web.json_response(await self._journal(request))
            case "chats":
                return web.json_response(self.world.snapshot())
            case "state":
                return web.json_response(self.state())
            case "help":
                actions = {
                    name: (getattr(self.people, name).__doc__ or "") for name in dir(People) if not name.startswith("_")
                }
                return web.json_response(
                    {"get": ["journal?after=&wait=", "chats", "state"], "post": actions | _CONTROLS}
                )
        raise web.HTTPNotFound

    async def _journal(self, request: web.Request) -> list[Json]:
        """The entries behind number `after`; with `wait`, as soon as there is one, at latest after so many seconds."""
        after, wait_s = int(request.query.get("after", 0)), float(request.query.get("wait", 0))
        if wait_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, 50)):
                    while len(self.world.journal) <= after:
                        self._noted.clear()
                        await self._noted.wait()
        return self.world.journal[after:]

    async def _handle_control(self, request: web.Request) -> web.Response:
        what = request.match_info["what"]
        given = json.loads(await request.text() or "{}")
        try:
            return web.json_response({"ok": True, "result": self.control(what, given)})
        except (ApiError, KeyError, TypeError, ValueError) as error:
            return web.json_response({"ok": False, "description": f"{type(error).__name__}: {error}"}, status=400)

    def control(self, what: str, given: Json) -> Any:
        """Do what a test or another process asks for: one of the people's deeds or of `_CONTROLS`."""
        switches: dict[str, Callable[..., Any]] = {
            "fault": self._add_fault,
            "heal": self.faults.clear,
            "seed": self.faults.seed,
            "redeliver": self.redeliver,
            "limits": self._switch_limits,
            "mirror": self._mirror,
            "revoke": self._revoke,
            "forget_method": self._forget_method,
        }
        if what in switches:
            return switches[what](**given)
        if what.startswith("_") or not hasattr(People, what):
            raise KeyError(what)
        return getattr(self.people, what)(**given)

    def _add_fault(self, **given: Any) -> list[Json]:
        self.faults.add(Fault(**given))
        return self.faults.describe()

    def _switch_limits(self, *, on: bool) -> None:
        self.methods.limits.is_on = on

    def _mirror(self, *, url: str) -> None:
        self._mirrors.append(url)

    def _forget_method(self, *, name: str) -> None:
        del self.methods.table[name.lower()]

    def _revoke(self) -> None:
        self.world.token = self.world.fresh(f"{self.world.bot['id']}:revoked-")

    def state(self) -> Json:
        """Where the server stands: what waits, what is confirmed, who polls, the faults in force."""
        return {
            "pending": [update["update_id"] for update in self.world.pending],
            "confirmed": [update["update_id"] for update in self.world.confirmed],
            "polls": self.polls,
            "webhook": self._webhook_info(),
            "faults": self.faults.describe(),
            "entries": dict(Counter(entry["what"] for entry in self.world.journal)),
        }

    async def _stop(self, _: web.Application) -> None:
        tasks = [task for task in (self._poll, self._webhook_task, *self._deliveries.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_CONTROLS = {
    "fault": "Put a fault in force: kind, method, chat, times, skip, probability, retry_after, status, seconds.",
    "heal": "Take all faults away.",
    "seed": "Start the faults' dice anew with `seed`.",
    "redeliver": "Serve the last `count` confirmed updates once more.",
    "revoke": "Make the bot's token invalid, as @BotFather does.",
    "forget_method": "Be an older server, which does not know the method `name`.",
    "mirror": "Deliver what the webhook gets to `url` too, at the same time, as a proxy may that tries twice.",
    "limits": "Turn Telegram's documented limits `on` or off.",
}


async def _read_params(request: web.Request) -> Params:
    """A request's parameters from query, form, multipart or JSON."""
    values: Json = dict(request.query)
    if request.method != "POST":
        return Params(values)
    if request.content_type == "application/json":
        return Params(values | await request.json())
    uploads: dict[str, Upload] = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            uploads[name] = Upload(value.filename, value.file.read(), value.content_type)
        else:
            values[name] = value if isinstance(value, str) else bytes(value).decode()
    return Params(values, uploads)


def _queue_key(update: Json) -> str:
    """What is delivered in order: the updates of one chat."""
    payload = next((value for key, value in update.items() if key != "update_id"), None)
    body = payload if isinstance(payload, dict) else {}
    chat = body.get("chat") or body.get("message", {}).get("chat") or {}
    return str(chat.get("id", "none")) if isinstance(chat, dict) else "none"


def _answer_instead(request: web.Request, fault: Fault) -> web.StreamResponse | None:
    """The answer of a server that does nothing, None for a fault that lets the work be done."""
    match fault.kind:
        case "down" | "reset":
            return _hang_up(request)
        case "throttle":
            return _failure(too_many(fault.retry_after))
        case "error_before":
            return _crash(fault.status)
        case "refuse":
            return _failure(ApiError(400, f"Bad Request: {fault.description}"))
    return None


def _failure(error: ApiError) -> web.Response:
    body: Json = {"ok": False, "error_code": error.status, "description": error.description}
    body |= {"parameters": error.parameters} if error.parameters else {}
    return web.json_response(body, status=error.status)


def _crash(status: int) -> web.Response:
    """What a proxy in front of the server says: not JSON."""
    return web.Response(status=status, text="<html><body>Bad Gateway</body></html>", content_type="text/html")


def _hang_up(request: web.Request) -> web.StreamResponse:
    """Reset the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
