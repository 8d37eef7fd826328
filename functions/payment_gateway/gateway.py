"""Midtrans, the room's one vendor, through its own client with that client's traps closed.

The client has no timeouts, shares one header dict between instances, prints its key, judges errors
by the HTTP status although the truth is in the body, and lets network errors through.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from functions.payment_gateway.errors import (
    ChargeRefused,
    DuplicateOrder,
    MidtransBusy,
    MidtransKeyRefused,
    OutcomeUnknown,
)
from functions.payment_gateway.models import ChargeOrder, GatewayStatus
from kit.errors import SinyalError
from kit.observability import warn
from kit.settings import read_secret

CONNECT_TIMEOUT_S = 3.0
NAME_LENGTH_MAX = 50
_GMT7 = timezone(timedelta(hours=7))
_ORDER_ID = re.compile(r"[A-Za-z0-9._~-]{1,36}")
_AMOUNT = re.compile(r"([0-9]{1,13})\.00")
_REFUSED_FOR_GOOD = {"400", "402", "410", "411", "413"}


@dataclass(frozen=True, slots=True)
class MidtransAccount:
    """Our account with Midtrans, as its secret says."""

    server_key: str = field(repr=False)
    merchant_id: str
    core_url: str


@lru_cache(maxsize=1)
def read_account() -> MidtransAccount:
    """The process's account."""
    secret = read_secret("midtrans")
    return MidtransAccount(
        server_key=str(secret["server_key"]),
        merchant_id=str(secret["merchant_id"]),
        core_url=str(secret["core_url"]).rstrip("/"),
    )


class MidtransGateway:
    """Charges and statuses over one pooled session with timeouts."""

    def __init__(self, account: MidtransAccount, read_timeout_s: float) -> None:
        self._account = account
        self._session = _make_session(read_timeout_s)

    @property
    def merchant_id(self) -> str:
        """The merchant every status must name."""
        return self._account.merchant_id

    def charge(self, order: ChargeOrder) -> GatewayStatus:
        """Open a virtual account; the order id is the idempotency key.

        Raises DuplicateOrder, OutcomeUnknown, MidtransBusy, ChargeRefused, MidtransKeyRefused.
        """
        body = {
            "payment_type": "bank_transfer",
            "transaction_details": {"order_id": order.order_id, "gross_amount": order.amount},
            "item_details": [
                {
                    "id": "subscription",
                    "name": order.description[:NAME_LENGTH_MAX],
                    "price": order.amount,
                    "quantity": 1,
                }
            ],
            "bank_transfer": {"bank": order.bank},
            "custom_expiry": {"expiry_duration": order.lifetime_minutes, "unit": "minute"},
        }
        client = self._make_client({"Idempotency-Key": order.order_id})
        return _read_status(self._call(order.order_id, lambda: client.charge(body)))

    def read_status(self, order_id: str) -> GatewayStatus | None:
        """Midtrans' word on an order; None when it does not know the order."""
        if not _ORDER_ID.fullmatch(order_id):
            raise ChargeRefused(f"{order_id!r} is not an order id")
        client = self._make_client({})
        try:
            document = self._call(order_id, lambda: client.transactions.status(order_id))
        except _OrderNotThere:
            return None
        return _read_status(document)

    def _make_client(self, headers: dict[str, str]) -> Any:
        from midtransclient import CoreApi

        client = CoreApi()
        client.api_config = _make_config(self._account, headers)
        client.http_client.http_client = self._session
        return client

    def _call(self, order_id: str, run: Any) -> Any:
        import requests
        from midtransclient.error_midtrans import JSONDecodeError, MidtransAPIError

        try:
            return run()
        except MidtransAPIError as error:
            raise _name_refusal(order_id, error) from None
        except requests.RequestException as error:
            kind = type(error).__name__
        except (JSONDecodeError, ValueError, TypeError, AttributeError):
            kind = "unreadable answer"
        warn("midtrans call has no clear outcome", order_id=order_id, reason=kind)
        raise OutcomeUnknown(f"order {order_id}: {kind}")


class _OrderNotThere(SinyalError):
    """Midtrans does not know the order (yet)."""

    code, status, title = "order_not_there", 404, "Midtrans does not know the order"


def _name_refusal(order_id: str, error: Any) -> SinyalError:
    """Turn a refusal into a fact, by the code in the body; its text may hold personal data."""
    document = error.api_response_dict
    known = document.get("status_code") if isinstance(document, dict) else None
    code = str(known or error.http_status_code)
    warn("midtrans refused a call", order_id=order_id, status_code=code)
    if code == "404":
        return _OrderNotThere(f"order {order_id}")
    if code == "406":
        return DuplicateOrder(f"order {order_id}")
    if code == "429":
        return MidtransBusy(f"order {order_id}")
    if code == "401":
        return MidtransKeyRefused("Midtrans does not take our server key")
    if code in _REFUSED_FOR_GOOD:
        return ChargeRefused(f"order {order_id}: code {code}")
    return OutcomeUnknown(f"order {order_id}: code {code}")


def _read_status(document: Any) -> GatewayStatus:
    """Read a charge's or status' answer; an answer without its main fields is no answer."""
    if not isinstance(document, dict) or not document.get("transaction_status"):
        raise OutcomeUnknown("Midtrans' answer names no transaction status")
    amount = _AMOUNT.fullmatch(str(document.get("gross_amount")))
    if amount is None:
        raise OutcomeUnknown("Midtrans' answer names no amount in whole rupiah")
    accounts = document.get("va_numbers") or [{}]
    return GatewayStatus(
        order_id=str(document.get("order_id")),
        transaction_id=str(document.get("transaction_id")),
        transaction_status=str(document["transaction_status"]),
        fraud_status=_read_text(document, "fraud_status"),
        amount=int(amount[1]),
        currency=str(document.get("currency")),
        merchant_id=_read_text(document, "merchant_id"),
        va_number=_read_text(accounts[0], "va_number"),
        expires_at=_read_time(document.get("expiry_time")),
        settled_at=_read_time(document.get("settlement_time")),
    )


def _read_text(document: dict[str, Any], name: str) -> str | None:
    value = document.get(name)
    return str(value) if value else None


def _read_time(value: object) -> datetime | None:
    """Times without an offset are GMT+7."""
    try:
        local = datetime.strptime(str(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=_GMT7)
    except ValueError:
        return None
    return local.astimezone(UTC)


def _make_session(read_timeout_s: float) -> Any:
    """A requests session with timeouts on every call, no redirects, no proxies from outside."""
    import requests

    class BoundedSession(requests.Session):
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            kwargs["timeout"] = (CONNECT_TIMEOUT_S, read_timeout_s)
            kwargs["allow_redirects"] = False
            return super().request(*args, **kwargs)

    session = BoundedSession()
    session.trust_env = False
    return session


def _make_config(account: MidtransAccount, headers: dict[str, str]) -> Any:
    """The client's configuration with our URL, headers of its own, and no key in its repr."""
    from midtransclient.config import ApiConfig

    class SinyalConfig(ApiConfig):  # type: ignore[misc]
        def get_core_api_base_url(self) -> str:
            return account.core_url

        def __repr__(self) -> str:
            return f"<SinyalConfig {account.core_url}>"

    return SinyalConfig(server_key=account.server_key, custom_headers=headers, proxies={})


@lru_cache(maxsize=1)
def open_gateway(read_timeout_s: float) -> MidtransGateway:
    """The process's gateway."""
    return MidtransGateway(read_account(), read_timeout_s)
