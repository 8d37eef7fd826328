"""Core API and Snap routes of the Midtrans sandbox."""

import asyncio
import base64
import binascii
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from iac.local.sandbox.midtrans.checks import InvalidCharge, check_charge, check_order
from iac.local.sandbox.midtrans.desk import Desk, RefundRefused
from iac.local.sandbox.midtrans.errors import refuse, refuse_snap
from iac.local.sandbox.midtrans.ledger import IllegalTransition, SnapOrder
from iac.local.sandbox.midtrans.wire import (
    charge_answer,
    describe,
    status_answer,
    write_amount,
)
from iac.local.sandbox.provider import Reply, json_reply

IDEMPOTENCY_KEPT_S = 300
IDEMPOTENCY_KEYS_MAX = 10_000
IDEMPOTENCY_KEY_LENGTH_MAX = 46
Work = Callable[[], Awaitable[Reply]]


class CoreApi:
    """Serves /v2 and /snap/v1 over one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.charge_delay_s = 0.0
        self._answered: OrderedDict[str, tuple[float, Reply | None]] = OrderedDict()

    def routes(self) -> list[Route]:
        """List the routes."""
        return [
            Route("/v2/charge", self._charge, methods=["POST"]),
            Route("/v2/{id}/status", self._status, methods=["GET"]),
            Route("/v2/{id}/refund", self._refund, methods=["POST"]),
            Route("/v2/{id}/refund/online/direct", self._refund, methods=["POST"]),
            Route("/v2/{id}/{action:path}", self._act, methods=["POST"]),
            Route("/snap/v1/transactions", self._open_snap, methods=["POST"]),
            Route("/snap/v4/redirection/{token}", _show_page, methods=["GET"]),
        ]

    def clear(self) -> None:
        """Forget idempotency keys."""
        self._answered.clear()

    async def _charge(self, request: Request) -> Response:
        if not self._has_key(request):
            return refuse(401).as_response()

        async def work() -> Reply:
            await asyncio.sleep(self.charge_delay_s)
            return await self._charge_once(request)

        return (await self._once(request, work)).as_response()

    async def _charge_once(self, request: Request) -> Reply:
        body = await _read_json(request)
        if body is None:
            return refuse(413)
        try:
            charge = check_charge(body)
        except InvalidCharge as error:
            return refuse(400, *error.messages)
        if self._desk.ledger.find(charge.order_id):
            return refuse(406)
        transaction = self._desk.charge(charge, str(request.base_url).rstrip("/"))
        return json_reply(201, charge_answer(transaction, self._desk.merchant_id))

    async def _status(self, request: Request) -> Response:
        if not self._has_key(request):
            return refuse(401).as_response()
        transaction = self._desk.find(request.path_params["id"])
        if transaction is None:
            return refuse(404, http_status=200).as_response()  # the body says 404, HTTP says 200
        answer = status_answer(transaction, self._desk.merchant_id, self._desk.server_key)
        return json_reply(200, answer).as_response()

    async def _act(self, request: Request) -> Response:
        if not self._has_key(request):
            return refuse(401).as_response()

        async def work() -> Reply:
            return self._act_once(request.path_params["id"], request.path_params["action"])

        return (await self._once(request, work)).as_response()

    def _act_once(self, order_id: str, action: str) -> Reply:
        if action not in ("cancel", "expire", "approve", "deny"):
            return refuse(404)
        transaction = self._desk.find(order_id)
        if transaction is None:
            return refuse(404)
        if action in ("approve", "deny") and transaction.status != "authorize":
            return refuse(412)
        try:
            self._desk.change(transaction, "capture" if action == "approve" else action)
        except IllegalTransition:
            return refuse(412)
        code, done = ("407", "has expired") if action == "expire" else ("200", f"{action} is done")
        head = {"status_code": code, "status_message": f"Success, transaction {done}"}
        return json_reply(200, head | describe(transaction, self._desk.merchant_id))

    async def _refund(self, request: Request) -> Response:
        if not self._has_key(request):
            return refuse(401).as_response()

        async def work() -> Reply:
            return await self._refund_once(request)

        return (await self._once(request, work)).as_response()

    async def _refund_once(self, request: Request) -> Reply:
        body = await _read_json(request)
        if body is None:
            return refuse(413)
        transaction = self._desk.find(request.path_params["id"])
        if transaction is None:
            return refuse(404)
        try:
            refund = self._desk.refund(transaction, body)
        except RefundRefused as error:
            return refuse(error.code, str(error))
        self._desk.announce_twice(transaction)
        answer = {
            "status_code": "200",
            "status_message": "Success, refund request is approved",
            **describe(transaction, self._desk.merchant_id),
            "refund_chargeback_id": len(transaction.refunds),
            "refund_amount": write_amount(refund.amount),
            "refund_key": refund.key,
        }
        return json_reply(200, answer)

    async def _open_snap(self, request: Request) -> Response:
        if not self._has_key(request):
            message = "Access denied due to unauthorized transaction, please check client or "
            return refuse_snap(401, message + "server key").as_response()
        body = await _read_json(request)
        if body is None:
            return refuse_snap(400, "the request body is not JSON").as_response()
        try:
            order_id, gross = check_order(body)
        except InvalidCharge as error:
            return refuse_snap(400, *error.messages).as_response()
        if self._desk.ledger.knows(order_id):
            taken = "transaction_details.order_id has already been taken"
            return refuse_snap(400, taken).as_response()
        token = str(uuid.uuid4())
        self._desk.ledger.add_snap(SnapOrder(order_id, token, gross, body))
        url = f"{str(request.base_url).rstrip('/')}/snap/v4/redirection/{token}"
        return json_reply(201, {"token": token, "redirect_url": url}).as_response()

    def _has_key(self, request: Request) -> bool:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            user = base64.b64decode(encoded, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return user == f"{self._desk.server_key}:"

    async def _once(self, request: Request, work: Work) -> Reply:
        key = request.headers.get("idempotency-key")
        if not key:
            return await work()
        if len(key) > IDEMPOTENCY_KEY_LENGTH_MAX:
            return refuse(400, "Idempotency-Key is longer than 46 characters")
        self._forget_old_keys()
        kept = self._answered.get(key)
        if kept is not None:
            return kept[1] or _still_running()
        self._answered[key] = (time.monotonic(), None)
        reply = await work()
        self._answered[key] = (time.monotonic(), reply)
        return reply

    def _forget_old_keys(self) -> None:
        oldest_kept = time.monotonic() - IDEMPOTENCY_KEPT_S
        for key, (at, _) in list(self._answered.items()):
            if at >= oldest_kept and len(self._answered) < IDEMPOTENCY_KEYS_MAX:
                return
            del self._answered[key]


def _still_running() -> Reply:
    message = "The request with the same Idempotency-Key is still being processed"
    return json_reply(202, {"status_code": "202", "status_message": message})


async def _read_json(request: Request) -> dict[str, Any] | None:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


async def _show_page(_: Request) -> Response:
    return HTMLResponse("<!doctype html><title>Snap</title><p>Pay through /_sandbox/pay.</p>")
