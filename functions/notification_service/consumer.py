"""Queue door of notification_service.

A message is written down before it is sent, and marked after; what a rate limit or a crash left
waiting is taken up by the next message of the tenant, or by the minute's sweep.
"""

from uuid import UUID

from contracts.billing_service import InvoicePaid
from contracts.envelope import Envelope, Meta
from contracts.ids import derived_id
from contracts.notification_service import Channel, DeliverPending, NotificationDelivered
from contracts.payment_gateway import PaymentInitiated
from contracts.subscription_service import QuotaExhausted
from contracts.trading_engine import OrderFilled, PositionClosed
from contracts.user_management import EmailVerificationRequested
from functions.notification_service import gateway
from functions.notification_service.errors import ProviderUnavailable
from functions.notification_service.logic import delivery, texts
from functions.notification_service.models import Notification
from functions.notification_service.settings import settings
from functions.notification_service.store import NotificationStore, find_due_tenants
from kit.cache import open_redis
from kit.consumer import Handlers, make_consumer, own_transactions
from kit.db import Database, Transaction, open_database
from kit.errors import PoisonMessage
from kit.observability import warn
from kit.settings import read_secret

CLAIMED_AT_ONCE = 5
"""So few that even five calls that time out (10 s each) end before the claim of 60 s does."""
SWEEPS_A_TENANT = 4


def _database() -> Database:
    return open_database("notification_service", settings().event_bus_name)


def _sender() -> delivery.Sender:
    return gateway.open_telegram()


def _limiter() -> delivery.Limiter:
    return gateway.TelegramLimiter(
        open_redis(),
        str(read_secret("telegram")["bot_id"]),
        settings().telegram_chat_per_second,
        settings().telegram_bot_per_second,
    )


@own_transactions
def on_news(envelope: Envelope, database: Database) -> None:
    """Tell each linked chat of the tenant; idempotent by (event, chat)."""
    tenant_id, event_id = envelope.meta.tenant_id, envelope.meta.event_id
    if tenant_id is None:
        raise PoisonMessage("news without a tenant")
    with database.transaction(tenant_id, cause=envelope.meta) as tx:
        store = NotificationStore(tx)
        for chat in store.list_chats():
            text = texts.write_text(envelope.data, chat.language)
            if text is not None:
                notification_id = derived_id("telegram", event_id, chat.chat_id)
                store.add_telegram(notification_id, event_id, text[0], chat.chat_id, text[1])
        due = store.claim_due(CLAIMED_AT_ONCE)
    _send_all(database, tenant_id, envelope.meta, due)


def _send_all(database: Database, tenant_id: UUID, cause: Meta, due: list[Notification]) -> None:
    limiter = _limiter()
    for notification in due:
        try:
            outcome = delivery.deliver(notification, _sender(), limiter, database.clock.now)
        except ProviderUnavailable as error:
            warn("telegram outcome unknown; sent again later", detail=error.detail)
            continue
        with database.transaction(tenant_id, cause=cause) as tx:
            _record(tx, notification, outcome)


def _record(tx: Transaction, notification: Notification, outcome: delivery.Outcome) -> None:
    store, notification_id = NotificationStore(tx), notification.notification_id
    match outcome:
        case delivery.Sent():
            if store.mark_sent(notification_id):
                _publish_delivered(tx, notification_id, "telegram", notification.kind)
        case delivery.Postponed(until=until):
            store.postpone(notification_id, until)
        case delivery.GivenUp(block=block, reason=reason):
            warn("telegram message given up", reason=reason, block=block)
            store.mark_undeliverable(notification_id, notification.chat_id, block=block)


def _publish_delivered(tx: Transaction, notification_id: UUID, channel: Channel, kind: str) -> None:
    tx.publish(
        NotificationDelivered(
            notification_id=notification_id, channel=channel, kind=kind, delivered_at=tx.now
        )
    )


@own_transactions
def on_deliver_pending(envelope: Envelope, database: Database) -> None:
    """Send what is due of any tenant; a claimed message is nobody else's."""
    command = envelope.data
    assert isinstance(command, DeliverPending)
    with database.transaction(None) as tx:
        tenants = find_due_tenants(tx, command.limit)
    for tenant_id in tenants:
        for _ in range(SWEEPS_A_TENANT):
            with database.transaction(tenant_id, cause=envelope.meta) as tx:
                due = NotificationStore(tx).claim_due(CLAIMED_AT_ONCE)
            _send_all(database, tenant_id, envelope.meta, due)
            if len(due) < CLAIMED_AT_ONCE:
                break


@own_transactions
def on_verification_requested(envelope: Envelope, database: Database) -> None:
    """Mail the verification code; idempotent by (event, address), the code is not kept."""
    event, tenant_id = envelope.data, envelope.meta.tenant_id
    assert isinstance(event, EmailVerificationRequested)
    if tenant_id is None:
        raise PoisonMessage("a verification without a tenant")
    event_id = envelope.meta.event_id
    notification_id = derived_id("email", event_id, event.email)
    with database.transaction(tenant_id, cause=envelope.meta) as tx:
        if not NotificationStore(tx).claim_email(
            notification_id, event_id, "verification", event.email
        ):
            return
    subject, text = texts.write_verification(
        event.full_name, event.token, event.expires_at, event.locale
    )
    gateway.send_mail(event.email, subject, text)
    with database.transaction(tenant_id, cause=envelope.meta) as tx:
        if NotificationStore(tx).mark_sent(notification_id):
            _publish_delivered(tx, notification_id, "email", "verification")


HANDLERS: Handlers = {
    EmailVerificationRequested: on_verification_requested,
    OrderFilled: on_news,
    PositionClosed: on_news,
    PaymentInitiated: on_news,
    InvoicePaid: on_news,
    QuotaExhausted: on_news,
    DeliverPending: on_deliver_pending,
}

handler = make_consumer(HANDLERS, lambda: _database())
