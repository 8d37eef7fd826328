"""SQL of notification_service, bound to the transaction's tenant."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from functions.notification_service.models import Chat, Claim, Notification
from kit.db import Transaction

HALF_SENT_AFTER = timedelta(seconds=60)
"""A message claimed this long ago and not marked was left by a crash; it is sent again."""


class NotificationStore:
    """A tenant's chats and messages."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def list_chats(self) -> list[Chat]:
        """Chats that take messages."""
        rows = self._tx.fetch_all(
            "SELECT chat_id, language FROM chats WHERE state = 'linked' ORDER BY chat_id LIMIT 50"
        )
        return [Chat.model_validate(row) for row in rows]

    def add_telegram(
        self, notification_id: UUID, event_id: UUID, kind: str, chat_id: int, body: str
    ) -> None:
        """Write a message down; the same event to the same chat is written once."""
        self._tx.execute(
            "INSERT INTO notifications (tenant_id, notification_id, event_id, channel, kind,"
            " recipient, body, not_before, created_at)"
            " VALUES (%s, %s, %s, 'telegram', %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [
                self._tx.tenant_id, notification_id, event_id, kind, str(chat_id), body,
                self._tx.now, self._tx.now,
            ],
        )  # fmt: skip

    def claim_mail(self, notification_id: UUID, event_id: UUID, kind: str, to: str) -> Claim:
        """Take a mail for sending, for as long as sending may last. The body is not kept."""
        row = self._tx.fetch_one(
            "INSERT INTO notifications AS n (tenant_id, notification_id, event_id, channel, kind,"
            " recipient, state, attempts, not_before, created_at)"
            " VALUES (%(tenant)s, %(id)s, %(event)s, 'email', %(kind)s, %(to)s, 'sending', 1,"
            " %(again)s, %(now)s)"
            " ON CONFLICT (tenant_id, event_id, channel, recipient) DO UPDATE"
            " SET attempts = n.attempts + 1, not_before = excluded.not_before"
            " WHERE n.state = 'sending' AND n.not_before <= %(now)s RETURNING notification_id",
            {
                "tenant": self._tx.tenant_id, "id": notification_id, "event": event_id,
                "kind": kind, "to": to, "now": self._tx.now,
                "again": self._tx.now + HALF_SENT_AFTER,
            },
        )  # fmt: skip
        if row is not None:
            return "taken"
        known = self._tx.fetch_one(
            "SELECT state FROM notifications WHERE notification_id = %s", [notification_id]
        )
        return "under_way" if known is not None and known["state"] == "sending" else "done"

    def release_mail(self, notification_id: UUID) -> None:
        """Give a mail back at once: sending it failed."""
        self._tx.execute(
            "UPDATE notifications SET not_before = %s"
            " WHERE notification_id = %s AND state = 'sending'",
            [self._tx.now, notification_id],
        )

    def claim_due(self, limit: int) -> list[Notification]:
        """Take the tenant's Telegram messages that are due, oldest first."""
        rows = self._tx.fetch_all(
            "UPDATE notifications SET state = 'sending', attempts = attempts + 1,"
            " not_before = %(again)s WHERE (tenant_id, notification_id) IN ("
            "  SELECT tenant_id, notification_id FROM notifications WHERE channel = 'telegram'"
            "  AND state IN ('pending', 'sending') AND not_before <= %(now)s"
            "  ORDER BY created_at, notification_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)"
            " RETURNING notification_id, kind, recipient::bigint AS chat_id, body, created_at",
            {"now": self._tx.now, "again": self._tx.now + HALF_SENT_AFTER, "limit": limit},
        )
        rows.sort(key=lambda row: (row["created_at"], row["notification_id"]))
        return [Notification.model_validate(row) for row in rows]

    def postpone(self, notification_id: UUID, until: datetime) -> None:
        """Put a message back: it was certainly not sent."""
        self._tx.execute(
            "UPDATE notifications SET state = 'pending', not_before = %s"
            " WHERE notification_id = %s AND state = 'sending'",
            [until, notification_id],
        )

    def mark_sent(self, notification_id: UUID) -> bool:
        """Note a delivery; False when it was noted before."""
        row = self._tx.fetch_one(
            "UPDATE notifications SET state = 'sent', delivered_at = %s"
            " WHERE notification_id = %s AND state <> 'sent' RETURNING 1 AS one",
            [self._tx.now, notification_id],
        )
        return row is not None

    def mark_undeliverable(self, notification_id: UUID) -> None:
        """Give a message up."""
        self._tx.execute(
            "UPDATE notifications SET state = 'undeliverable' WHERE notification_id = %s",
            [notification_id],
        )

    def block_chat(self, chat_id: int) -> None:
        """Write to a chat no more; it does not take messages."""
        self._tx.execute("UPDATE chats SET state = 'blocked' WHERE chat_id = %s", [chat_id])

    def list_notifications(self, limit: int, cursor: UUID | None) -> list[dict[str, Any]]:
        """Messages, newest first."""
        return self._tx.fetch_all(
            "SELECT notification_id, channel, kind, state, created_at, delivered_at"
            " FROM notifications WHERE %(cursor)s::uuid IS NULL OR (created_at, notification_id) <"
            " (SELECT created_at, notification_id FROM notifications"
            "  WHERE notification_id = %(cursor)s)"
            " ORDER BY created_at DESC, notification_id DESC LIMIT %(limit)s",
            {"cursor": cursor, "limit": limit},
        )


class LinkStore:
    """Link tokens and chats."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add_token(self, token_hash: bytes, expires_at: datetime) -> None:
        """Keep a new token's hash for the tenant."""
        self._tx.execute(
            "INSERT INTO link_tokens (tenant_id, token_hash, created_at, expires_at)"
            " VALUES (%s, %s, %s, %s)",
            [self._tx.tenant_id, token_hash, self._tx.now, expires_at],
        )

    def find_tenant(self, token_hash: bytes) -> UUID | None:
        """The tenant a token was made for."""
        row = self._tx.fetch_one("SELECT find_link_token(%s) AS tenant_id", [token_hash])
        return None if row is None else row["tenant_id"]

    def use_token(self, token_hash: bytes) -> bool:
        """Spend a token that is fresh and unused."""
        row = self._tx.fetch_one(
            "UPDATE link_tokens SET used_at = %(now)s WHERE token_hash = %(hash)s"
            " AND used_at IS NULL AND expires_at > %(now)s RETURNING 1 AS one",
            {"now": self._tx.now, "hash": token_hash},
        )
        return row is not None

    def add_chat(self, chat_id: int, user_id: int, language: str) -> None:
        """Link a chat, or link it again."""
        self._tx.execute(
            "INSERT INTO chats (tenant_id, chat_id, user_id, language, linked_at)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (tenant_id, chat_id) DO UPDATE SET"
            " state = 'linked', user_id = excluded.user_id, linked_at = excluded.linked_at",
            [self._tx.tenant_id, chat_id, user_id, language, self._tx.now],
        )

    def take_update(self, update_id: int) -> bool:
        """Note an update; False when it was noted before."""
        row = self._tx.fetch_one(
            "INSERT INTO telegram_updates (update_id, received_at) VALUES (%s, %s)"
            " ON CONFLICT DO NOTHING RETURNING 1 AS one",
            [update_id, self._tx.now],
        )
        return row is not None


def find_due_tenants(tx: Transaction, bound: int) -> list[UUID]:
    """Tenants with Telegram messages that are due (platform transaction)."""
    rows = tx.fetch_all("SELECT due_tenants(%s, %s) AS tenant_id", [tx.now, bound])
    return [row["tenant_id"] for row in rows]
