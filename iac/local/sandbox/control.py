"""The control face: every sandbox's `/_sandbox` routes, and the faults in front of its wire.

GET  /_sandbox/requests?match=&after=&limit=   what it got
POST /_sandbox/faults {match, status | delay_ms | body | drop | drip_ms | reply, times, after}
GET  /_sandbox/faults                          faults still waiting
POST /_sandbox/reset                           forget requests, faults and state
GET/POST /_sandbox/config                      settings
"""

import asyncio
import json
import time
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from iac.local.sandbox.faults import Fault, FaultTable
from iac.local.sandbox.provider import BadControlRequest, Provider, Reply, json_reply, read_document
from iac.local.sandbox.recorder import Recorder

BODY_MAX = 20 * 1024 * 1024
DRIP_CHUNKS_MAX = 200
CONTROL = "/_sandbox"


class SandboxApp:
    """ASGI application of one provider: control routes, faults, then the provider itself."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.recorder = Recorder()
        self.faults = FaultTable()
        handlers: dict[Any, Any] = {BadControlRequest: _refuse_control}
        self._control = Starlette(routes=self._routes(), exception_handlers=handlers)
        self._wire = Starlette(routes=provider.wire_routes())

    def _routes(self) -> list[Route]:
        return [
            Route(f"{CONTROL}/requests", self._list_requests, methods=["GET"]),
            Route(f"{CONTROL}/faults", self._list_faults, methods=["GET"]),
            Route(f"{CONTROL}/faults", self._add_fault, methods=["POST"]),
            Route(f"{CONTROL}/reset", self._reset, methods=["POST"]),
            Route(f"{CONTROL}/config", self._show_config, methods=["GET"]),
            Route(f"{CONTROL}/config", self._change_config, methods=["POST"]),
            *self.provider.control_routes(),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the control face is never recorded and never faulty."""
        if scope["type"] != "http":
            return
        if scope["path"].startswith(CONTROL):
            await self._control(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            await _send_reply(send, self.provider.error_reply(413, scope["path"], None))
            return
        await self._serve(scope, body, send)

    async def _serve(self, scope: Scope, body: bytes, send: Send) -> None:
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]]
        entry = self.recorder.record(scope["method"], path, query, headers, body)
        started = time.perf_counter()
        target = f"{path}?{query}" if query else path
        fault = self.faults.take(f"{scope['method']} {target} {body.decode('utf-8', 'replace')}")
        entry.fault = fault.describe() if fault else None
        reply = await self._answer(scope, body, fault)
        entry.duration_ms = round((time.perf_counter() - started) * 1_000, 3)
        if reply is None:
            entry.status = "dropped"
            scope["extensions"]["sandbox.abort"]()
            return
        entry.status = reply.status
        await _send_reply(send, reply, fault.drip_ms if fault else 0)

    async def _answer(self, scope: Scope, body: bytes, fault: Fault | None) -> Reply | None:
        if fault is None:
            return await self._ask_provider(scope, body)
        if fault.reply is not None:
            scope["sandbox.reply"] = fault.reply
        honest = await self._ask_provider(scope, body) if fault.after else None
        await asyncio.sleep(fault.delay_ms / 1_000)
        if fault.drop:
            return None
        if fault.status is None and fault.body is None:
            return honest or await self._ask_provider(scope, body)
        return self._faulty_reply(fault, scope["path"])

    def _faulty_reply(self, fault: Fault, path: str) -> Reply:
        if fault.body is None:
            reply = self.provider.error_reply(fault.status or 500, path, fault.retry_after)
            return Reply(
                reply.status, reply.body, reply.content_type, {**reply.headers, **fault.headers}
            )
        text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
        kind = "text/html; charset=utf-8" if text.lstrip().startswith("<") else "application/json"
        headers = dict(fault.headers)
        if fault.retry_after is not None:
            headers.setdefault("retry-after", str(fault.retry_after))
        return Reply(fault.status or 200, text.encode(), kind, headers)

    async def _ask_provider(self, scope: Scope, body: bytes) -> Reply:
        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        parts: list[bytes] = []
        start: dict[str, Any] = {}

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._wire(scope, receive, collect)
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in start["headers"]}
        kind = headers.pop("content-type", "application/json")
        headers.pop("content-length", None)
        if start["status"] in (404, 405) and kind.startswith("text/plain"):
            return self.provider.error_reply(start["status"], scope["path"], None)
        return Reply(start["status"], b"".join(parts), kind, headers)

    async def _list_requests(self, request: Request) -> Response:
        query = request.query_params
        after, limit = _whole(query.get("after"), 0), _whole(query.get("limit"), 1_000)
        return JSONResponse(self.recorder.listing(query.get("match", ""), after, max(1, limit)))

    async def _list_faults(self, _: Request) -> Response:
        return JSONResponse(self.faults.waiting())

    async def _add_fault(self, request: Request) -> Response:
        try:
            fault = self.faults.add(await read_document(request))
        except ValueError as error:
            raise BadControlRequest(str(error)) from error
        return JSONResponse(fault.describe(), 201)

    async def _reset(self, _: Request) -> Response:
        self.recorder.clear()
        self.faults.clear()
        self.provider.reset()
        return JSONResponse({"reset": self.provider.name})

    async def _show_config(self, _: Request) -> Response:
        return JSONResponse(self.provider.describe_settings())

    async def _change_config(self, request: Request) -> Response:
        self.provider.configure(await read_document(request))
        return JSONResponse(self.provider.describe_settings())


def _whole(text: str | None, default: int) -> int:
    try:
        return int(text) if text is not None else default
    except ValueError as error:
        raise BadControlRequest(f"{text!r} is not a whole number") from error


async def _refuse_control(_: Request, error: Exception) -> Response:
    return json_reply(400, {"error": str(error)}).as_response()


async def _read_body(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_MAX:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


async def _send_reply(send: Send, reply: Reply, drip_ms: int = 0) -> None:
    headers = {
        "content-type": reply.content_type,
        "content-length": str(len(reply.body)),
        **reply.headers,
    }
    raw = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    if drip_ms:
        size = max(1, -(-len(reply.body) // DRIP_CHUNKS_MAX))
        for start in range(0, len(reply.body), size):
            chunk = reply.body[start : start + size]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(drip_ms / 1_000)
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.body", "body": reply.body})
