"""HTTP door of notification_service: linking a chat, Telegram's webhook, what was sent."""

import hmac
from typing import Annotated
from uuid import UUID

from fastapi import Header, Path, Query, Request

from functions.notification_service import gateway
from functions.notification_service.errors import WebhookSecretWrong
from functions.notification_service.logic import linking, texts
from functions.notification_service.models import (
    DeepLink,
    NotificationPage,
    ShownNotification,
    TelegramStart,
    WebhookReply,
)
from functions.notification_service.settings import settings
from functions.notification_service.store import LinkStore, NotificationStore
from kit.api import CurrentPrincipal, make_app, make_handler, read_json
from kit.db import Database, open_database
from kit.errors import BadRequest
from kit.observability import warn
from kit.settings import read_secret

app = make_app("notification_service", "Telegram and e-mail")

_UPDATE_BODY = {
    "requestBody": {
        "description": "An `Update` of the Telegram Bot API.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


def _database() -> Database:
    return open_database("notification_service", settings().event_bus_name)


def _bot_username() -> str:
    return gateway.open_telegram().read_username()


@app.post("/v1/notifications/telegram/link", status_code=201)
def post_link(principal: CurrentPrincipal) -> DeepLink:
    """Make a deep link that ties a private Telegram chat to the tenant, once, within minutes."""
    principal.require_role("owner", "admin", "trader")
    username = _bot_username()
    with _database().transaction(principal.tenant_id) as tx:
        url, expires_at = linking.make_link(LinkStore(tx), username, tx.now)
    return DeepLink(deep_link=url, expires_at=expires_at)


@app.get("/v1/notifications")
def get_notifications(
    principal: CurrentPrincipal,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> NotificationPage:
    """Telegram messages and mails to the tenant, newest first: what kind, and whether it went."""
    with _database().transaction(principal.tenant_id) as tx:
        rows = NotificationStore(tx).list_notifications(limit, cursor)
    last = str(rows[-1]["notification_id"]) if len(rows) == limit else None
    items = [ShownNotification.model_validate(row) for row in rows]
    return NotificationPage(items=items, next_cursor=last)


@app.post(
    "/v1/telegram/webhook/{bot_id}",
    response_model_exclude_unset=True,
    openapi_extra=_UPDATE_BODY,
)
async def post_webhook(
    bot_id: Annotated[str, Path(max_length=40)],
    request: Request,
    secret: Annotated[str, Header(alias="X-Telegram-Bot-Api-Secret-Token", max_length=256)] = "",
) -> WebhookReply:
    """Take an update of Telegram's; the answer may carry a message to send (its webhook replies).

    A wrong secret is a 403. A body it would only send again is answered 200 and logged.
    """
    expected = read_secret("telegram")
    known = hmac.compare_digest(secret.encode(), str(expected["webhook_secret"]).encode())
    if not known or bot_id != str(expected["bot_id"]):
        raise WebhookSecretWrong("call with the secret that setWebhook was given")
    try:
        update = read_json((await request.body()).decode())
    except (BadRequest, UnicodeDecodeError):
        warn("telegram sent a body that is not JSON; dropped")
        return WebhookReply()
    start = linking.read_start(update)
    if start is None or not _link(start):
        return WebhookReply()
    return WebhookReply(
        method="sendMessage", chat_id=start.chat_id, text=texts.write_linked(start.language)
    )


def _link(start: TelegramStart) -> bool:
    """Spend the token and link the chat; the same update or token again does nothing."""
    database = _database()
    with database.transaction(None) as tx:
        tenant_id = LinkStore(tx).find_tenant(linking.hash_token(start.token))
    if tenant_id is None:
        return False
    with database.transaction(tenant_id) as tx:
        store = LinkStore(tx)
        return store.take_update(start.update_id) and linking.link_chat(store, start)


handler = make_handler(app)
