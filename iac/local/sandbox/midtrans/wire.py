"""Midtrans' documents: charge answers, statuses, notifications, and their signature."""

import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

from iac.local.sandbox.midtrans.checks import ChargeRequest
from iac.local.sandbox.midtrans.ledger import Transaction, draw_digits

JAKARTA = timezone(timedelta(hours=7))
STATUS_CODES = {
    "pending": "201",
    "deny": "202",
    "expire": "202",
    "failure": "202",
}
CREATED = {
    "bank_transfer": "Success, Bank Transfer transaction is created",
    "echannel": "OK, Mandiri Bill transaction is successful",
    "qris": "QRIS transaction is created",
    "gopay": "GoPay transaction is created",
    "shopeepay": "ShopeePay transaction is created",
    "cstore": "Success, cstore transaction is successful",
}
MANDIRI_BILLER = "70012"


def sign(order_id: str, status_code: str, gross_amount: str, server_key: str) -> str:
    """Sign as Midtrans does: SHA-512 over the joined raw strings."""
    joined = f"{order_id}{status_code}{gross_amount}{server_key}"
    return hashlib.sha512(joined.encode()).hexdigest()


def write_amount(rupiah: int) -> str:
    """Write an amount the way every Midtrans answer does."""
    return f"{rupiah}.00"


def write_time(moment: datetime) -> str:
    """Write a time in GMT+7 without an offset."""
    return moment.astimezone(JAKARTA).strftime("%Y-%m-%d %H:%M:%S")


def build_instructions(charge: ChargeRequest, base_url: str) -> dict[str, Any]:
    """Say how to pay: the fields that differ by payment type."""
    order_id, options = charge.order_id, charge.options
    if charge.payment_type == "bank_transfer":
        return _describe_account(order_id, options)
    if charge.payment_type == "echannel":
        return {"bill_key": draw_digits(order_id, 12), "biller_code": MANDIRI_BILLER}
    if charge.payment_type == "cstore":
        return {"payment_code": draw_digits(order_id, 14), "store": options["store"]}
    if charge.payment_type == "qris":
        qr = _action("generate-qr-code", "GET", f"{base_url}/v2/qris/{order_id}/qr-code")
        return {"qr_string": f"00020101021226{draw_digits(order_id, 40)}6304", "actions": [qr]}
    if charge.payment_type == "gopay":
        return {"actions": _gopay_actions(order_id, base_url)}
    return {"actions": [_action("deeplink-redirect", "GET", f"{base_url}/pay/{order_id}")]}


def _describe_account(order_id: str, options: dict[str, Any]) -> dict[str, Any]:
    if options["bank"] == "permata":
        return {"permata_va_number": draw_digits(order_id, 16)}
    number = str(options.get("va_number") or draw_digits(order_id, 11))
    return {"va_numbers": [{"bank": options["bank"], "va_number": number}]}


def _gopay_actions(order_id: str, base_url: str) -> list[dict[str, str]]:
    return [
        _action("generate-qr-code", "GET", f"{base_url}/v2/gopay/{order_id}/qr-code"),
        _action("deeplink-redirect", "GET", f"{base_url}/pay/{order_id}"),
        _action("get-status", "GET", f"{base_url}/v2/{order_id}/status"),
        _action("cancel", "POST", f"{base_url}/v2/{order_id}/cancel"),
    ]


def _action(name: str, method: str, url: str) -> dict[str, str]:
    return {"name": name, "method": method, "url": url}


def describe(transaction: Transaction, merchant_id: str) -> dict[str, Any]:
    """Build the fields that charge answers, statuses and notifications share."""
    document: dict[str, Any] = {
        "transaction_id": transaction.transaction_id,
        "order_id": transaction.order_id,
        "merchant_id": merchant_id,
        "gross_amount": write_amount(transaction.gross_amount),
        "currency": "IDR",
        "payment_type": transaction.payment_type,
        "transaction_time": write_time(transaction.created_at),
        "transaction_status": transaction.status,
        "fraud_status": "accept",
        "expiry_time": write_time(transaction.expires_at),
    }
    if transaction.settled_at:
        document["settlement_time"] = write_time(transaction.settled_at)
    if transaction.acquirer:
        document["acquirer"] = transaction.acquirer
    if transaction.refunds:
        document["refund_amount"] = write_amount(transaction.refunded)
        document["refunds"] = [
            {
                "refund_chargeback_id": number,
                "refund_amount": write_amount(refund.amount),
                "refund_key": refund.key,
                "reason": refund.reason,
                "refund_method": "system",
            }
            for number, refund in enumerate(transaction.refunds, start=1)
        ]
    return document


def charge_answer(transaction: Transaction, merchant_id: str) -> dict[str, Any]:
    """Answer a charge."""
    return {
        "status_code": "201",
        "status_message": CREATED[transaction.payment_type],
        **describe(transaction, merchant_id),
        **transaction.instructions,
    }


def status_answer(transaction: Transaction, merchant_id: str, server_key: str) -> dict[str, Any]:
    """Answer GET status; an expired transaction says 407 here and 202 in its notification."""
    code = "407" if transaction.status == "expire" else _code_of(transaction)
    body = {
        "status_code": code,
        "status_message": "Success, transaction is found",
        **describe(transaction, merchant_id),
        **_payment_fields(transaction),
    }
    body["signature_key"] = sign(body["order_id"], code, body["gross_amount"], server_key)
    return body


def notification(transaction: Transaction, merchant_id: str, server_key: str) -> dict[str, Any]:
    """Build the notification of the transaction's present state, signed."""
    code = _code_of(transaction)
    body = {
        "status_code": code,
        "status_message": "midtrans payment notification",
        **describe(transaction, merchant_id),
        **_payment_fields(transaction),
    }
    if transaction.payment_type in ("bank_transfer", "cstore"):
        body["payment_amounts"] = []
    body["signature_key"] = sign(body["order_id"], code, body["gross_amount"], server_key)
    return body


def _code_of(transaction: Transaction) -> str:
    return STATUS_CODES.get(transaction.status, "200")


def _payment_fields(transaction: Transaction) -> dict[str, Any]:
    kept = ("va_numbers", "permata_va_number", "bill_key", "biller_code", "payment_code", "store")
    return {key: value for key, value in transaction.instructions.items() if key in kept}
