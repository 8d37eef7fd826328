"""Validation of charge and Snap bodies: what Midtrans answers 400 to."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

ORDER_ID = re.compile(r"[A-Za-z0-9._~-]{1,50}")
AMOUNT_MAX = 999_999_999_999
ITEMS_MAX = 500
BANKS = ("bca", "bni", "bri", "cimb", "permata")
STORES = ("indomaret", "alfamart")
DAY = timedelta(hours=24)
QUARTER = timedelta(minutes=15)
LIFETIMES = {
    "bank_transfer": DAY,
    "echannel": DAY,
    "cstore": DAY,
    "qris": QUARTER,
    "gopay": QUARTER,
    "shopeepay": QUARTER,
}
UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


class InvalidCharge(Exception):
    """The body breaks Midtrans' rules; `messages` are its validation_messages."""

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = list(messages)


@dataclass(frozen=True)
class ChargeRequest:
    """A charge body that passed every check."""

    order_id: str
    gross_amount: int
    payment_type: str
    options: dict[str, Any]
    lifetime: timedelta


def check_order(body: dict[str, Any]) -> tuple[str, int]:
    """Return order id and gross amount.

    Raises InvalidCharge for a bad id, an amount that is not whole rupiah, or items that do not
    sum up to it.
    """
    details = body.get("transaction_details")
    if not isinstance(details, dict):
        raise InvalidCharge("transaction_details is required")
    order_id, gross = details.get("order_id"), details.get("gross_amount")
    if not isinstance(order_id, str) or not ORDER_ID.fullmatch(order_id):
        raise InvalidCharge("transaction_details.order_id is required and takes [A-Za-z0-9._~-]")
    if not _is_rupiah(gross) or not 1 <= int(str(gross)) <= AMOUNT_MAX:
        raise InvalidCharge("transaction_details.gross_amount is not a whole amount of rupiah")
    amount = int(str(gross))
    _check_items(body.get("item_details"), amount)
    return order_id, amount


def check_charge(body: dict[str, Any]) -> ChargeRequest:
    """Validate a Core API charge."""
    order_id, gross = check_order(body)
    payment_type = body.get("payment_type")
    if payment_type not in LIFETIMES:
        raise InvalidCharge("payment_type is not supported")
    options = body.get(payment_type) or {}
    if not isinstance(options, dict):
        raise InvalidCharge(f"{payment_type} must be an object")
    _check_options(payment_type, options)
    _check_limits(payment_type, options, gross)
    lifetime = _read_expiry(body.get("custom_expiry"), LIFETIMES[payment_type])
    return ChargeRequest(order_id, gross, payment_type, options, lifetime)


def _is_rupiah(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_items(items: object, gross: int) -> None:
    if items is None:
        return
    if not isinstance(items, list) or not 1 <= len(items) <= ITEMS_MAX:
        raise InvalidCharge("item_details must be a list of items")
    total = 0
    for item in items:
        if not isinstance(item, dict):
            raise InvalidCharge("item_details must be a list of items")
        price, quantity, name = item.get("price"), item.get("quantity"), item.get("name")
        if not _is_rupiah(price) or not _is_rupiah(quantity) or int(str(quantity)) < 1:
            raise InvalidCharge("item_details price and quantity must be whole numbers")
        if not isinstance(name, str) or not 1 <= len(name) <= 50:
            raise InvalidCharge("item_details Name too long or missing, 50 characters at most")
        total += int(str(price)) * int(str(quantity))
    if total != gross:
        raise InvalidCharge(
            "transaction_details.gross_amount is not equal to the sum of item_details"
        )


def _check_options(payment_type: str, options: dict[str, Any]) -> None:
    if payment_type == "bank_transfer" and options.get("bank") not in BANKS:
        raise InvalidCharge("bank_transfer.bank is not supported")
    if payment_type == "echannel" and not (options.get("bill_info1") and options.get("bill_info2")):
        raise InvalidCharge("echannel.bill_info1 and echannel.bill_info2 are required")
    if payment_type == "cstore" and options.get("store") not in STORES:
        raise InvalidCharge("cstore.store is not supported")
    if payment_type == "shopeepay" and not options.get("callback_url"):
        raise InvalidCharge("shopeepay.callback_url is required")


def _check_limits(payment_type: str, options: dict[str, Any], gross: int) -> None:
    at_least_10_000 = options.get("bank") == "bca" or options.get("store") == "indomaret"
    if at_least_10_000 and gross < 10_000:
        raise InvalidCharge("transaction_details.gross_amount is less than 10000")
    if payment_type == "qris" and gross > 10_000_000:
        raise InvalidCharge("transaction_details.gross_amount is more than 10000000")
    if options.get("store") == "indomaret" and gross > 5_000_000:
        raise InvalidCharge("transaction_details.gross_amount is more than 5000000")


def _read_expiry(custom: object, default: timedelta) -> timedelta:
    if custom is None:
        return default
    if not isinstance(custom, dict):
        raise InvalidCharge("custom_expiry must be an object")
    duration, unit = custom.get("expiry_duration"), custom.get("unit", "minute")
    if not _is_rupiah(duration) or int(str(duration)) < 1 or unit not in UNITS:
        raise InvalidCharge("custom_expiry.expiry_duration or custom_expiry.unit is not valid")
    return timedelta(seconds=min(int(str(duration)) * UNITS[unit], 365 * 86_400))
