"""How the fake Slack sends events, commands and pressed buttons: over sockets or by signed HTTP, again until taken."""

import asyncio
import contextlib
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from tests.fakes.faults import FaultPlan
from tests.fakes.slack_world import APP_ID, Json, World

DELIVERY_FAULTS = frozenset({"redeliver", "reorder", "duplicate"})


@dataclass(eq=False)
class Socket:
    """One open Socket Mode connection."""

    id: str
    ws: web.WebSocketResponse
    waiting: dict[str, asyncio.Future[Json | None]] = field(default_factory=dict)

    async def send(self, envelope: Json, timeout_s: float) -> Json | None:
        """The acknowledgement, None when none came in time."""
        taken: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        self.waiting[envelope["envelope_id"]] = taken
        try:
            await self.ws.send_str(json.dumps(envelope))
            async with asyncio.timeout(timeout_s):
                return await taken
        except (TimeoutError, ConnectionError):
            return None
        finally:
            self.waiting.pop(envelope["envelope_id"], None)


class Delivery:
    """Sends what happens to the app: to `events_url` where one is set, else to the sockets."""

    def __init__(self, world: World, faults: FaultPlan) -> None:
        self.world = world
        self.faults = faults
        self.events_url = ""
        self.ack_timeout_s = 3.0
        # Slack's own are at once, a minute, five minutes. https://docs.slack.dev/apis/events-api/#retries
        self.retry_delays_s: tuple[float, ...] = (0.2, 1.0, 3.0)
        self.sockets: list[Socket] = []
        self.sent: list[Json] = []
        # Ids of events that were neither taken nor given up.
        self.pending: list[str] = []
        self._next_socket = 0
        self._held: list[Json] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._http: aiohttp.ClientSession | None = None
        self._connected = asyncio.Event()
        world.on_event = self.event

    # ---- what happens -------------------------------------------------------------------------------------------

    def event(self, team: str, subscription: str, event: Json) -> None:
        """Send an event of the Events API, if the app is installed and listens to such."""
        if subscription not in self.world.events or not self.world.teams[team].is_installed:
            return
        bot = self.world.teams[team].bot_user_id
        authorization = {
            "enterprise_id": None,
            "team_id": team,
            "user_id": bot,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        body = {
            "token": "verification-token",
            "team_id": team,
            "api_app_id": APP_ID,
            "type": "event_callback",
            "event": event,
            "event_id": self.world.new_id("Ev"),
            "event_time": int(self.world.now()),
            "authorizations": [authorization],
            "is_ext_shared_channel": False,
        }
        if self.faults.take("event", event.get("channel"), kinds=lambda kind: kind == "reorder"):
            self._held.append(body)
            return
        for one in (body, *self._held):
            self.spawn(self._deliver_event(one))
        self._held.clear()

    async def command(self, payload: Json) -> Json:
        """Send a slash command, once. Returns `ok`, and what the app answered."""
        return await self._send_once("slash_commands", payload)

    async def action(self, payload: Json) -> Json:
        """Send a pressed button, once."""
        return await self._send_once("interactive", payload)

    def redeliver(self, count: int = 1) -> int:
        """Send the last `count` events once more, as they were."""
        again = self.sent[-count:]
        for body in again:
            self.spawn(self._deliver_event(body, reason="http_timeout", first_attempt=1))
        return len(again)

    def release(self) -> None:
        """Send what was held back for another order."""
        for body in self._held:
            self.spawn(self._deliver_event(body))
        self._held.clear()

    # ---- sending ------------------------------------------------------------------------------------------------

    async def _deliver_event(self, body: Json, *, reason: str = "", first_attempt: int = 0) -> None:
        """Send until it is taken, as often as Slack does."""
        self.sent.append(body)
        self.pending.append(body["event_id"])
        about = {"event_id": body["event_id"], "type": body["event"]["type"], "ts": body["event"].get("ts")}
        copies = (
            2 if self.faults.take("event", body["event"].get("channel"), kinds=lambda kind: kind == "duplicate") else 1
        )
        for attempt, delay_s in enumerate((0.0, *self.retry_delays_s), start=first_attempt):
            await asyncio.sleep(delay_s)
            self.world.note("event_sent", **about, attempt=attempt)
            answers = await asyncio.gather(
                *(self._send("events_api", body, attempt=attempt, reason=reason) for _ in range(copies))
            )
            problem = answers[0][0]
            if not problem:
                self.world.note("event_taken", **about, attempt=attempt)
                break
            reason = problem
            self.world.note("event_refused", **about, attempt=attempt, reason=problem)
        else:
            self.world.note("event_given_up", **about)
        self.pending.remove(body["event_id"])
        if self.faults.take("event", body["event"].get("channel"), kinds=lambda kind: kind == "redeliver"):
            self.spawn(self._deliver_event(body, reason="http_timeout", first_attempt=1))

    async def _send_once(self, kind: str, payload: Json) -> Json:
        problem, answer = await self._send(kind, payload, attempt=0, reason="")
        self.world.note("once_sent", kind=kind, problem=problem)
        return {"ok": not problem, "problem": problem, "answer": answer}

    async def _send(self, kind: str, payload: Json, *, attempt: int, reason: str) -> tuple[str, Any]:
        """What went wrong (empty: nothing) and the app's answer."""
        if self.events_url:
            return await self._push(kind, payload, attempt=attempt, reason=reason)
        socket = await self._pick()
        envelope = {
            "envelope_id": self.world.new_id("env-"),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        taken = await socket.send(envelope, self.ack_timeout_s)
        return ("timeout", None) if taken is None else ("", taken.get("payload"))

    async def _pick(self) -> Socket:
        """The next open connection; waits for one."""
        while True:
            usable = [socket for socket in self.sockets if not socket.ws.closed]
            if usable:
                self._next_socket += 1
                return usable[self._next_socket % len(usable)]
            self._connected.clear()
            await self._connected.wait()

    async def _push(self, kind: str, payload: Json, *, attempt: int, reason: str) -> tuple[str, Any]:
        body = encode(kind, payload)
        headers = self.sign(body)
        headers["Content-Type"] = "application/json" if kind == "events_api" else "application/x-www-form-urlencoded"
        if attempt:
            headers |= {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason or "http_error"}
        if self._http is None:
            self._http = aiohttp.ClientSession()
        timeout = aiohttp.ClientTimeout(total=self.ack_timeout_s)
        try:
            async with self._http.post(self.events_url, data=body, headers=headers, timeout=timeout) as response:
                answer = await response.text()
                return ("" if response.status == 200 else "http_error", answer)
        except TimeoutError:
            return "http_timeout", None
        except aiohttp.ClientError:
            return "connection_failed", None

    def sign(self, body: bytes, *, timestamp: int | None = None) -> dict[str, str]:
        """The headers by which Slack shows that a request is its own."""
        moment = str(int(self.world.now()) if timestamp is None else timestamp)
        key = self.world.signing_secret.encode()
        digest = hmac.new(key, b"v0:" + moment.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": moment, "X-Slack-Signature": f"v0={digest}"}

    # ---- sockets ------------------------------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One Socket Mode connection, from hello to its end."""
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        socket = Socket(self.world.new_id("s-"), ws)
        self.sockets.append(socket)
        self.world.note("socket_opened", socket=socket.id)
        count = len(self.sockets)
        info = {"host": "fake", "approximate_connection_time": 18_060}
        hello = {"type": "hello", "num_connections": count, "debug_info": info, "connection_info": {"app_id": APP_ID}}
        await ws.send_str(json.dumps(hello))
        self._connected.set()
        try:
            async for message in ws:
                if message.type is aiohttp.WSMsgType.TEXT:
                    _take(socket, message.data)
        finally:
            self.sockets.remove(socket)
            for waiting in socket.waiting.values():
                if not waiting.done():
                    waiting.set_result(None)
            self.world.note("socket_closed", socket=socket.id)
        return ws

    async def disconnect(self, reason: str = "refresh_requested") -> int:
        """Ask every connection to be replaced, as Slack does every few hours, and close it."""
        asked = list(self.sockets)
        for socket in asked:
            await socket.ws.send_str(
                json.dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": "fake"}})
            )
            if reason != "warning":
                self.spawn(_close_later(socket))
        return len(asked)

    def cut(self) -> int:
        """Tear every connection, without a word."""
        torn = list(self.sockets)
        for socket in torn:
            transport = socket.ws._req.transport if socket.ws._req else None
            if transport is not None:
                transport.abort()
        return len(torn)

    def spawn(self, work: Any) -> None:
        """Run beside everything else."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End all sending."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in list(self.sockets):
            with contextlib.suppress(ConnectionError):
                await socket.ws.close()
        if self._http is not None:
            await self._http.close()


def encode(kind: str, payload: Json) -> bytes:
    """A request's body as Slack writes it: JSON for events, a form for commands, a form with JSON for buttons."""
    if kind == "events_api":
        return json.dumps(payload).encode()
    if kind == "slash_commands":
        return urlencode(payload).encode()
    return urlencode({"payload": json.dumps(payload)}).encode()


def _take(socket: Socket, text: str) -> None:
    """An acknowledgement that came in."""
    try:
        answer = json.loads(text)
    except ValueError:
        return
    waiting = socket.waiting.get(str(answer.get("envelope_id")))
    if waiting is not None and not waiting.done():
        waiting.set_result(answer)


async def _close_later(socket: Socket) -> None:
    # A client opens the new connection first; what is acknowledged on the old one until then still counts.
    await asyncio.sleep(0.3)
    await socket.ws.close()
