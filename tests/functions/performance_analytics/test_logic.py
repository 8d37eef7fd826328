"""What is personal in any message, now and later, is named in the one tuple and left out."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, EmailStr

from contracts.envelope import Message
from contracts.ids import uuid7
from contracts.registry import MESSAGES
from contracts.trading_engine import AccountLinked
from contracts.user_service import UserRegistered
from functions.performance_analytics.models import PERSONAL_FIELDS, strip_personal

PERSONAL_NAMES = re.compile(
    r"(^|_)(e?mail|name|address|device|phone|street|city|birth(day|_date)|password|nik|npwp|ip)$"
)
"""Any ``*_name`` counts as a person's until it is listed as harmless here."""
HARMLESS: frozenset[str] = frozenset()


def walk_types(annotation: Any) -> Iterator[Any]:
    """A type and every type inside it."""
    yield annotation
    for inner in get_args(annotation):
        yield from walk_types(inner)


def walk_fields(contract: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """Every field of a contract and of the contracts inside it."""
    for name, field in contract.model_fields.items():
        types = list(walk_types(field.annotation))
        for one in types:
            yield name, one
            if isinstance(one, type) and issubclass(one, BaseModel):
                yield from walk_fields(one)


def is_personal(name: str, annotation: Any) -> bool:
    return annotation is EmailStr or bool(PERSONAL_NAMES.search(name))


@pytest.mark.parametrize("message", MESSAGES)
def test_every_personal_field_of_a_message_is_in_the_tuple(message: str) -> None:
    found = {name for name, one in walk_fields(MESSAGES[message]) if is_personal(name, one)}
    assert found - HARMLESS - set(PERSONAL_FIELDS) == set()


def test_every_name_in_the_tuple_is_still_some_messages_field() -> None:
    fields = {name for contract in MESSAGES.values() for name, _ in walk_fields(contract)}
    assert set(PERSONAL_FIELDS) <= fields


def test_a_new_field_for_an_address_would_be_noticed() -> None:
    class Inner(BaseModel):
        contact: EmailStr | None
        holder_name: str

    class Outer(BaseModel):
        parts: tuple[Inner, ...]

    found = {name for name, one in walk_fields(Outer) if is_personal(name, one)}
    assert found == {"contact", "holder_name"}


def test_what_is_personal_is_left_out_and_the_rest_stays() -> None:
    registered = UserRegistered(
        user_id=uuid7(),
        email="sari@example.com",
        full_name="Sari",
        tenant_name="Wijaya",
        locale="id",
    )
    assert strip_personal(registered) == {"user_id": str(registered.user_id), "locale": "id"}


def test_a_brokers_password_is_left_out_even_as_ciphertext() -> None:
    linked = AccountLinked(
        account_id=uuid7(),
        mode="live",
        login=1,
        server="s",
        leverage=100,
        initial_balance_cents=0,
        risk_per_trade_bp=1,
        max_open_positions=1,
        max_daily_loss_bp=1,
        version=1,
        encrypted_password="ciphertext",
    )
    assert "encrypted_password" not in strip_personal(linked)


def test_personal_fields_are_left_out_at_any_depth() -> None:
    class Nested(Message):
        service = "test"
        rows: tuple[dict[str, Any], ...]

    nested = Nested(rows=({"address": "x", "n": 1}, {"inner": {"email": "y", "m": 2}}))
    assert strip_personal(nested) == {"rows": [{"n": 1}, {"inner": {"m": 2}}]}
