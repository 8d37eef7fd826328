"""What PostgreSQL itself refuses in payment_gateway."""

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from contracts.ids import uuid7
from functions.payment_gateway.logic.collecting import prepare_attempt
from functions.payment_gateway.logic.transitions import LEGAL_NEXT
from functions.payment_gateway.models import Notification, Payable, Payment
from functions.payment_gateway.store import PaymentStore, find_order_tenant
from kit.db import Database
from tests.functions.payment_gateway.conftest import AMOUNT, ROOM
from tests.support.builders import NOW


@pytest.fixture
def store_room(open_room) -> Database:
    return open_room(ROOM)


@pytest.fixture
def payment(store_room, tenant) -> Payment:
    invoice_id = uuid7()
    with store_room.transaction(tenant) as tx:
        store = PaymentStore(tx)
        due = NOW + timedelta(days=7)
        store.add_payable(Payable(invoice_id, "INV/2026/03/000001", AMOUNT, "pro", due, None))
        return prepare_attempt(store, invoice_id, "bca_va", NOW)


def refuse(database: Database, tenant: UUID | None, sql: str, *params: object) -> None:
    with pytest.raises(psycopg.Error), database.transaction(tenant) as tx:
        tx.execute(sql, params)


def test_the_table_and_the_code_know_the_same_transitions(store_room) -> None:
    with store_room.transaction(None) as tx:
        rows = tx.fetch_all("SELECT from_state, to_state FROM legal_transitions")
    known = {(row["from_state"], row["to_state"]) for row in rows}
    assert known == {(state, after) for state, nexts in LEGAL_NEXT.items() for after in nexts}


def test_an_illegal_transition_is_refused_by_the_table(store_room, tenant, payment) -> None:
    move = "UPDATE payments SET state = %s WHERE payment_id = %s"
    refuse(store_room, tenant, move, "refund", payment.payment_id)
    with store_room.transaction(tenant) as tx:
        tx.execute(move, ["expire", payment.payment_id])
    refuse(store_room, tenant, move, "settlement", payment.payment_id)


def test_what_a_payment_is_for_never_changes(store_room, tenant, payment) -> None:
    for change in ("amount = 1", "order_id = 'SNY-' || repeat('0', 32)"):
        refuse(store_room, tenant, f"UPDATE payments SET {change}")


def test_an_invoice_has_one_open_attempt(store_room, tenant, payment) -> None:
    second = (
        "INSERT INTO payments (tenant_id, payment_id, invoice_id, attempt, order_id, method,"
        " amount, currency, state, created_at, updated_at) SELECT tenant_id, %s, invoice_id, 2,"
        " 'SNY-' || repeat('0', 32), method, amount, currency, 'created', now(), now()"
        " FROM payments"
    )
    refuse(store_room, tenant, second, uuid7())


def test_a_notification_is_kept_once_and_as_it_came(store_room, tenant, payment) -> None:
    notification = Notification(payment.order_id, "200", f"{AMOUNT}.00")
    with store_room.transaction(tenant) as tx:
        assert PaymentStore(tx).add_notification(notification, uuid7(), "hash", "{}")
        assert not PaymentStore(tx).add_notification(notification, uuid7(), "hash", "{}")
    refuse(store_room, tenant, "UPDATE notifications SET body = ''")
    refuse(store_room, tenant, "DELETE FROM notifications")


def test_a_tenant_sees_its_own_payments_only(store_room, tenant, other_tenant, payment) -> None:
    """Invariant 19; the webhook learns an order's tenant and nothing more."""
    with store_room.transaction(other_tenant) as tx:
        store = PaymentStore(tx)
        assert store.find_payment(payment.payment_id) is None
        assert store.find_order(payment.order_id) is None
        assert store.lock_payable(payment.invoice_id) is None
    with store_room.transaction(None) as tx:
        assert tx.fetch_all("SELECT 1 FROM payments UNION ALL SELECT 1 FROM payables") == []
        assert find_order_tenant(tx, payment.order_id) == tenant
        assert find_order_tenant(tx, "SNY-" + "0" * 32) is None
    foreign = "INSERT INTO notifications VALUES (%s, %s, %s, '200', 'other', '{}', now())"
    refuse(store_room, other_tenant, foreign, tenant, uuid7(), payment.order_id)
