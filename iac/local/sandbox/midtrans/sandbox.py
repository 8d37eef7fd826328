"""The Midtrans sandbox: the wire, its settings, and `/_sandbox/pay` in the customer's place."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from iac.local.sandbox.midtrans.checks import InvalidCharge, check_charge
from iac.local.sandbox.midtrans.core_api import CoreApi
from iac.local.sandbox.midtrans.desk import Desk, RefundRefused
from iac.local.sandbox.midtrans.errors import refuse, refuse_snap
from iac.local.sandbox.midtrans.ledger import IllegalTransition, Transaction
from iac.local.sandbox.provider import (
    BadControlRequest,
    Document,
    Reply,
    json_reply,
    read_document,
)

BAD_SIGNATURE = "0" * 128


class Payment(BaseModel):
    """What the customer, the bank or the clock does to an order, and how it is announced.

    duplicates: extra equal notifications. out_of_order: the pending one arrives last. overrides:
    fields changed after signing (Midtrans signs only four of them).
    """

    model_config = ConfigDict(extra="forbid")

    order_id: str
    outcome: str = "settlement"
    duplicates: int = Field(default=0, ge=0, le=10)
    out_of_order: bool = False
    bad_signature: bool = False
    notify: bool = True
    overrides: dict[str, Any] = Field(default_factory=dict)
    payment_type: str = "bank_transfer"
    options: dict[str, Any] = Field(default_factory=lambda: {"bank": "bca"})
    amount: int | None = None


class Settings(BaseModel):
    """What `/_sandbox/config` may change."""

    model_config = ConfigDict(extra="forbid")

    webhook_url: str | None = None
    host_header: str | None = None
    retry_waits_s: list[float] | None = Field(default=None, min_length=1, max_length=5)
    notify_pending: bool | None = None
    charge_delay_ms: int | None = Field(default=None, ge=0, le=60_000)
    clock_offset_s: int | None = Field(default=None, ge=-31_536_000, le=31_536_000)


@dataclass
class MidtransSandbox:
    """Midtrans on loopback."""

    server_key: str
    merchant_id: str
    name: str = "midtrans"

    def __post_init__(self) -> None:
        self.desk = Desk(self.server_key, self.merchant_id)
        self._core = CoreApi(self.desk)

    def wire_routes(self) -> list[Route]:
        """List Midtrans' routes."""
        return self._core.routes()

    def control_routes(self) -> list[Route]:
        """List the control routes that only Midtrans has."""
        return [
            Route("/_sandbox/pay", self._pay, methods=["POST"]),
            Route("/_sandbox/notifications", self._list_notifications, methods=["GET"]),
            Route("/_sandbox/transactions", self._list_transactions, methods=["GET"]),
        ]

    def error_reply(self, status: int, path: str, retry_after: int | None, /) -> Reply:
        """Say a status as Midtrans does."""
        reply = refuse_snap(status) if path.startswith("/snap") else refuse(status)
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        return Reply(reply.status, reply.body, reply.content_type, headers)

    def configure(self, changes: Document) -> None:
        """Change the webhook, the redelivery waits, the clock or the charge delay."""
        try:
            wanted = Settings.model_validate(changes)
        except ValidationError as error:
            raise BadControlRequest(str(error)) from error
        target = self.desk.notifier.target
        if wanted.webhook_url is not None or wanted.host_header is not None:
            url = target.url if wanted.webhook_url is None else wanted.webhook_url
            host = target.host_header if wanted.host_header is None else wanted.host_header
            target.set(url, host)
        if wanted.retry_waits_s is not None:
            self.desk.notifier.waits_s = tuple(min(max(w, 0), 600) for w in wanted.retry_waits_s)
        if wanted.notify_pending is not None:
            self.desk.notify_pending = wanted.notify_pending
        if wanted.charge_delay_ms is not None:
            self._core.charge_delay_s = wanted.charge_delay_ms / 1_000
        if wanted.clock_offset_s is not None:
            self.desk.clock_offset = timedelta(seconds=wanted.clock_offset_s)

    def describe_settings(self) -> Document:
        """Show the settings in force."""
        return {
            "webhook_url": self.desk.notifier.target.url,
            "host_header": self.desk.notifier.target.host_header,
            "retry_waits_s": list(self.desk.notifier.waits_s),
            "notify_pending": self.desk.notify_pending,
            "charge_delay_ms": round(self._core.charge_delay_s * 1_000),
            "clock_offset_s": round(self.desk.clock_offset.total_seconds()),
            "merchant_id": self.merchant_id,
        }

    def reset(self) -> None:
        """Forget transactions, notifications and keys; the webhook and waits stay."""
        self.desk.clear()
        self._core.clear()
        self._core.charge_delay_s = 0.0

    async def close(self) -> None:
        """Stop redelivering."""
        await self.desk.notifier.close()

    async def _pay(self, request: Request) -> Response:
        try:
            payment = Payment.model_validate(await read_document(request))
        except ValidationError as error:
            raise BadControlRequest(str(error)) from error
        transaction = self._find_or_open(payment, str(request.base_url).rstrip("/"))
        if transaction is None:
            return JSONResponse({"error": f"no order {payment.order_id!r}"}, 404)
        try:
            self._apply(transaction, payment)
        except (IllegalTransition, RefundRefused) as error:
            return JSONResponse({"error": str(error)}, 409)
        sent = [await self.desk.notifier.send(doc) for doc in self._notices(transaction, payment)]
        return JSONResponse(
            {
                "order_id": transaction.order_id,
                "transaction_id": transaction.transaction_id,
                "transaction_status": transaction.status,
                "notifications": sent,
            }
        )

    def _find_or_open(self, payment: Payment, base_url: str) -> Transaction | None:
        found = self.desk.find(payment.order_id)
        order = self.desk.ledger.snap.get(payment.order_id)
        if found or order is None:
            return found
        body = order.request | {
            "payment_type": payment.payment_type,
            payment.payment_type: payment.options,
        }
        try:
            return self.desk.charge(check_charge(body), base_url)
        except InvalidCharge as error:
            raise BadControlRequest(str(error)) from error

    def _apply(self, transaction: Transaction, payment: Payment) -> None:
        if payment.outcome in ("refund", "partial_refund"):
            body = {} if payment.amount is None else {"amount": payment.amount}
            self.desk.refund(transaction, body)
        elif payment.outcome != transaction.status:
            transaction.move(payment.outcome, self.desk.now())

    def _notices(self, transaction: Transaction, payment: Payment) -> list[Document]:
        if not payment.notify:
            return []
        notice = self.desk.draw_notification(transaction) | payment.overrides
        if payment.bad_signature:
            notice["signature_key"] = BAD_SIGNATURE
        notices = [notice] * (1 + payment.duplicates)
        if payment.out_of_order:
            notices.append(self.desk.draw_earlier_notification(transaction))
        return notices

    async def _list_notifications(self, request: Request) -> Response:
        order_id = request.query_params.get("order_id", "")
        return JSONResponse(self.desk.notifier.listing(order_id))

    async def _list_transactions(self, _: Request) -> Response:
        known = self.desk.ledger.listing()
        listing = [
            {
                "order_id": one.order_id,
                "transaction_id": one.transaction_id,
                "gross_amount": one.gross_amount,
                "payment_type": one.payment_type,
                "transaction_status": one.status,
                "refunded": one.refunded,
            }
            for one in known
        ]
        return json_reply(200, listing).as_response()
