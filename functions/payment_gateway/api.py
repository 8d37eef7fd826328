"""HTTP door of payment_gateway: how to pay, and Midtrans' notifications."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal
from uuid import UUID

import psycopg
from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from contracts.ids import uuid7
from functions.payment_gateway.errors import OrderUnknown, PaymentMissing
from functions.payment_gateway.gateway import MidtransGateway, open_gateway, read_account
from functions.payment_gateway.logic import collecting, notifications
from functions.payment_gateway.logic.desk import Desk, OpenDesk
from functions.payment_gateway.models import HowToPay, Method, Notification
from functions.payment_gateway.settings import settings
from functions.payment_gateway.store import PaymentStore, find_order_tenant
from kit.api import PROBLEM, CurrentPrincipal, make_app, make_handler, problems
from kit.db import Database, open_database
from kit.errors import Unavailable
from kit.idempotency import IdempotencyKey, answer_once
from kit.observability import warn

app = make_app("payment_gateway", "How to pay an invoice, and Midtrans' notifications")

CHARGES_A_REQUEST_MAX = 1
"""A client waits: one charge and one look at its status fit in its patience."""


class ChooseMethod(BaseModel):
    """Body of POST /v1/invoices/{id}/payments."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = "bca_va"


class Stored(BaseModel):
    """Answer to a notification of Midtrans."""

    status: Literal["stored"] = "stored"


_SIGNED_FIELDS = {
    "order_id": "^SNY-[0-9a-f]{32}$",
    "status_code": "^[0-9]{3}$",
    "gross_amount": r"^[0-9]{1,13}\.[0-9]{2}$",
    "signature_key": "^[0-9a-f]{128}$",
}
_NOTIFICATION_BODY = {
    "requestBody": {
        "description": "A notification of Midtrans; other fields are kept, and not acted upon.",
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": list(_SIGNED_FIELDS),
                    "properties": {
                        name: {"type": "string", "pattern": pattern}
                        for name, pattern in _SIGNED_FIELDS.items()
                    },
                }
            }
        },
    }
}
_REFUSED_BY_MIDTRANS: dict[int | str, dict[str, Any]] = {
    502: {
        "description": "Midtrans refuses the charge, or us; trying again changes nothing.",
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
HOW_TO_PAY_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": HowToPay, "description": "The virtual account that waits."},
    201: {"model": HowToPay, "description": "A new virtual account."},
    **problems(404, 409),
    **_REFUSED_BY_MIDTRANS,
}


def _database() -> Database:
    return open_database("payment_gateway", settings().event_bus_name)


def _gateway() -> MidtransGateway:
    return open_gateway(settings().midtrans_read_timeout_s)


def _server_key() -> str:
    return read_account().server_key


def _desk(database: Database, tenant_id: UUID) -> OpenDesk:
    @contextmanager
    def open_desk() -> Iterator[Desk]:
        with database.transaction(tenant_id) as tx:
            yield Desk(PaymentStore(tx), tx.publish, tx.now)

    return open_desk


async def _raw_body(request: Request) -> bytes:
    return await request.body()


@app.post(
    "/v1/payments/midtrans/notifications",
    responses=problems(404),
    openapi_extra=_NOTIFICATION_BODY,
)
def post_notification(body: Annotated[bytes, Depends(_raw_body)]) -> Stored:
    """Midtrans' webhook: verified, stored raw, answered; the work is done from the queue.

    403 for a wrong signature, 503 when it cannot be stored (Midtrans then tries again).
    """
    notification = notifications.read_notification(body, _server_key())
    try:
        _store_notification(notification, body)
    except psycopg.OperationalError as error:
        raise Unavailable("the notification could not be stored") from error
    return Stored()


def _store_notification(notification: Notification, body: bytes) -> None:
    database = _database()
    with database.transaction(None) as tx:
        tenant_id = find_order_tenant(tx, notification.order_id)
    if tenant_id is None:
        warn("signed notification of an unknown order", order_id=notification.order_id)
        raise OrderUnknown("no payment has this order id")
    with database.transaction(tenant_id) as tx:
        notifications.keep_notification(PaymentStore(tx), tx.publish, notification, body, uuid7())


@app.post(
    "/v1/invoices/{invoice_id}/payments",
    response_model=HowToPay,
    responses=HOW_TO_PAY_RESPONSES,
)
def post_payment(
    invoice_id: UUID,
    body: ChooseMethod,
    principal: CurrentPrincipal,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """How to pay an invoice: the virtual account that waits, or a new one.

    The key stands for the attempt; its present state is told each time.
    """
    principal.require_role("owner", "admin")
    database, gateway = _database(), _gateway()
    open_desk = _desk(database, principal.tenant_id)
    collecting.refresh_stale_attempt(open_desk, gateway, invoice_id)
    with database.transaction(principal.tenant_id) as tx:

        def run() -> tuple[int, Any]:
            payment = collecting.prepare_attempt(PaymentStore(tx), invoice_id, body.method, tx.now)
            status = 201 if payment.state == "created" else 200
            return status, {"payment_id": str(payment.payment_id)}

        request = ["POST payments", str(invoice_id), body.model_dump()]
        answer = answer_once(tx, key, request, run)
    payment_id = UUID(json.loads(bytes(answer.body))["payment_id"])
    payment = collecting.initiate_payment(
        open_desk, gateway, payment_id, charges_max=CHARGES_A_REQUEST_MAX
    )
    shown = collecting.show_how_to_pay(payment).model_dump(mode="json")
    return JSONResponse(shown, status_code=answer.status_code)


@app.get("/v1/payments/{payment_id}", responses=problems(404))
def get_payment(payment_id: UUID, principal: CurrentPrincipal) -> HowToPay:
    """A payment and how far it is."""
    with _database().transaction(principal.tenant_id) as tx:
        payment = PaymentStore(tx).find_payment(payment_id)
    if payment is None:
        raise PaymentMissing("check the id on the invoice's payment")
    return collecting.show_how_to_pay(payment)


handler = make_handler(app)
