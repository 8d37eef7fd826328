"""Which notifications to believe, and how far.

The signature covers order, status code and amount, joined without delimiters; so their shapes are
checked before hashing. Status, fraud and refund fields are unsigned and never acted upon.
"""

import hashlib
import hmac
import json
import re
from typing import Any, Protocol
from uuid import UUID

from contracts.payment_gateway import PaymentNotificationReceived
from functions.payment_gateway.errors import BadNotification, BadSignature
from functions.payment_gateway.logic.desk import Publish
from functions.payment_gateway.models import Notification

ORDER_ID = re.compile(r"SNY-[0-9a-f]{32}")
_STATUS_CODE = re.compile(r"[0-9]{3}")
_GROSS_AMOUNT = re.compile(r"[0-9]{1,13}\.[0-9]{2}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
PAID_CODE = "200"
"""Signed into notifications of orders that are no longer pending."""


class NotificationBook(Protocol):
    """Raw notifications of the transaction's tenant."""

    def add_notification(
        self, notification: Notification, notification_id: UUID, content_hash: str, body: str
    ) -> bool: ...


def read_notification(body: bytes, server_key: str) -> Notification:
    """Parse a notification and verify its signature.

    Raises BadNotification (400) for another shape, BadSignature (403).
    """
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadNotification("the body is not JSON") from error
    if not isinstance(document, dict):
        raise BadNotification("the body is not an object")
    notification = Notification(
        order_id=_read_field(document, "order_id", ORDER_ID),
        status_code=_read_field(document, "status_code", _STATUS_CODE),
        gross_amount=_read_field(document, "gross_amount", _GROSS_AMOUNT),
    )
    signature = document.get("signature_key")
    if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
        raise BadSignature("the notification is not signed")
    if not hmac.compare_digest(signature, sign(notification, server_key)):
        raise BadSignature("the notification is not signed with our key")
    return notification


def _read_field(document: dict[str, Any], name: str, shape: re.Pattern[str]) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise BadNotification(f"{name} is missing or malformed")
    return value


def sign(notification: Notification, server_key: str) -> str:
    """Midtrans' signature of the three signed fields: SHA-512, hex."""
    joined = (
        f"{notification.order_id}{notification.status_code}{notification.gross_amount}{server_key}"
    )
    return hashlib.sha512(joined.encode()).hexdigest()


def keep_notification(
    book: NotificationBook,
    publish: Publish,
    notification: Notification,
    body: bytes,
    notification_id: UUID,
) -> None:
    """Store a notification raw, once by its content, and announce it."""
    content_hash = hashlib.sha256(body).hexdigest()
    text = body.decode("utf-8")
    if book.add_notification(notification, notification_id, content_hash, text):
        publish(
            PaymentNotificationReceived(
                notification_id=notification_id, order_id=notification.order_id
            )
        )
