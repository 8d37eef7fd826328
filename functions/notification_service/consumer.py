"""Queue door of notification_service.

A message is written down before it is sent, and marked after; what a rate limit or a crash left
waiting is taken up by the next message of the tenant, or by the minute's sweep.
"""

from uuid import UUID

from contracts.billing_service import InvoicePaid
from contracts.database_service import TenantExportReady
from contracts.envelope import Envelope, Meta
from contracts.ids import derived_id
from contracts.notification_service import Channel, DeliverPending, NotificationDelivered
from contracts.payment_gateway import PaymentInitiated
from contracts.subscription_service import QuotaExhausted
from contracts.trading_engine import (
    AccountHealthChanged,
    KillSwitchChanged,
    OrderFilled,
    PositionClosed,
    ReconciliationDiffered,
)
from contracts.user_management import EmailVerificationRequested, MemberInvited
from contracts.user_service import (
    EmailChangeRequested,
    PasswordResetRequested,
    SecurityAlertRaised,
)
from functions.notification_service import gateway
from functions.notification_service.errors import (
    MailUnderWay,
    MessageRefused,
    ProviderUnavailable,
)
from functions.notification_service.logic import delivery, mails, texts
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
    if not texts.is_news(envelope.data):
        return
    if tenant_id is None:
        raise PoisonMessage("news without a tenant")
    with database.transaction(tenant_id, cause=envelope.meta) as tx:
        store = NotificationStore(tx)
        for chat in store.list_chats():
            kind, text = texts.write_text(envelope.data, chat.language)
            notification_id = derived_id("telegram", event_id, chat.chat_id)
            store.add_telegram(notification_id, event_id, kind, chat.chat_id, text)
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
            store.mark_undeliverable(notification_id)
            if block:
                store.block_chat(notification.chat_id)


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
def on_mail_asked(envelope: Envelope, database: Database) -> None:
    """Send the mail a message asks for; idempotent by (event, address), its words are not kept."""
    tenant_id, event_id = envelope.meta.tenant_id, envelope.meta.event_id
    if tenant_id is None:
        raise PoisonMessage("a mail without a tenant")
    web_url = settings().web_url
    mail = mails.write_mail(envelope.data, envelope.meta.occurred_at, web_url)
    notification_id = derived_id("email", event_id, mail.to)
    with database.transaction(tenant_id, cause=envelope.meta) as tx:
        claim = NotificationStore(tx).claim_mail(notification_id, event_id, mail.kind, mail.to)
    if claim == "under_way":
        raise MailUnderWay("another worker has it")
    if claim == "done":
        return
    try:
        gateway.send_mail(mail, notification_id, web_url)
    except MessageRefused as error:
        warn("mail given up", kind=mail.kind, reason=error.detail)
        with database.transaction(tenant_id, cause=envelope.meta) as tx:
            NotificationStore(tx).mark_undeliverable(notification_id)
        return
    except ProviderUnavailable:
        with database.transaction(tenant_id, cause=envelope.meta) as tx:
            NotificationStore(tx).release_mail(notification_id)
        raise
    with database.transaction(tenant_id, cause=envelope.meta) as tx:
        if NotificationStore(tx).mark_sent(notification_id):
            _publish_delivered(tx, notification_id, "email", mail.kind)


HANDLERS: Handlers = {
    EmailVerificationRequested: on_mail_asked,
    PasswordResetRequested: on_mail_asked,
    EmailChangeRequested: on_mail_asked,
    MemberInvited: on_mail_asked,
    SecurityAlertRaised: on_mail_asked,
    TenantExportReady: on_mail_asked,
    OrderFilled: on_news,
    PositionClosed: on_news,
    PaymentInitiated: on_news,
    InvoicePaid: on_news,
    QuotaExhausted: on_news,
    KillSwitchChanged: on_news,
    AccountHealthChanged: on_news,
    ReconciliationDiffered: on_news,
    DeliverPending: on_deliver_pending,
}

handler = make_consumer(HANDLERS, lambda: _database())
