"""Every message by name: what readers parse by, schemas are generated from, and rules name."""

from typing import Any

from contracts import (
    ai_orchestration,
    ai_provider,
    api_gateway,
    audit,
    billing_service,
    data_bridge,
    database_service,
    ml_processing,
    notification_service,
    payment_gateway,
    subscription_service,
    trading_engine,
    user_management,
    user_service,
)
from contracts.envelope import Envelope, Message, Meta

_MODULES = (
    ai_orchestration,
    ai_provider,
    api_gateway,
    audit,
    billing_service,
    data_bridge,
    database_service,
    ml_processing,
    notification_service,
    payment_gateway,
    subscription_service,
    trading_engine,
    user_management,
    user_service,
)

MESSAGES: dict[str, type[Message]] = {
    name: value
    for module in _MODULES
    for name, value in vars(module).items()
    if isinstance(value, type)
    and issubclass(value, Message)
    and value.__module__ == module.__name__
}
"""Message class by detail-type."""


SECRET_CARRIERS = frozenset(
    name for name, contract in MESSAGES.items() if "token" in contract.model_fields
)
"""Messages with a one-time token inside: their readers are named one by one."""


class UnknownMessage(ValueError):
    """The detail-type is in no contract."""


class UnknownSchemaVersion(ValueError):
    """The writer uses a version this reader does not know; the message must be kept, not read."""


def parse_envelope(detail_type: str, detail: dict[str, Any]) -> Envelope:
    """Read a detail into its contract.

    Raises UnknownMessage, UnknownSchemaVersion, or pydantic's ValidationError.
    """
    contract = MESSAGES.get(detail_type)
    if contract is None:
        raise UnknownMessage(detail_type)
    meta = Meta.model_validate(detail.get("meta"))
    if meta.schema_version > contract.schema_version:
        raise UnknownSchemaVersion(f"{detail_type} v{meta.schema_version}")
    return Envelope(meta=meta, data=contract.model_validate(detail.get("data")))
