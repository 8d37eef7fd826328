"""Linking a chat takes the tenant's own token, once, from Telegram itself."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import uuid7
from functions.notification_service import api
from kit.db import Database
from tests.support.builders import FixedClock, api_event, principal, read_answer

SECRET = "hook-secret"
BOT = "4242"


@pytest.fixture
def database(
    open_room: Callable[[str], Database],
    set_secret: Callable[[str, dict[str, Any]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Database:
    room = open_room("notification_service")
    monkeypatch.setattr(api, "_database", lambda: room)
    monkeypatch.setattr(api, "_bot_username", lambda: "sinyal_bot")
    set_secret("telegram", {"bot_id": BOT, "webhook_secret": SECRET, "bot_token": "x"})
    return room


def make_token(tenant: UUID) -> str:
    event = api_event("POST", "/v1/notifications/telegram/link", principal=principal(tenant))
    status, body = read_answer(api.handler(event, None))
    assert status == 201
    match = re.fullmatch(r"https://t\.me/sinyal_bot\?start=([\w-]{43})", body["deep_link"])
    assert match is not None
    return match.group(1)


def start(token: str, chat_type: str = "private") -> dict[str, Any]:
    chat = uuid7().int % 10**12
    return {
        "update_id": uuid7().int % 10**12,
        "message": {
            "message_id": 1,
            "date": 1_700_000_000,
            "chat": {"id": chat, "type": chat_type},
            "from": {"id": chat, "is_bot": False, "first_name": "S", "language_code": "en"},
            "text": f"/start {token}",
        },
    }


def call(update: Any, secret: str = SECRET, bot: str = BOT) -> tuple[int, Any]:
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
    event = api_event("POST", f"/v1/telegram/webhook/{bot}", body=update, headers=headers)
    return read_answer(api.handler(event, None))


def chats(database: Database, tenant: UUID) -> list[dict[str, Any]]:
    with database.transaction(tenant) as tx:
        return tx.fetch_all("SELECT chat_id, language FROM chats")


def test_a_fresh_token_links_the_chat_and_answers_in_it(database: Database, tenant: UUID) -> None:
    update = start(make_token(tenant))
    status, body = call(update)
    assert status == 200
    assert (body["method"], body["chat_id"]) == ("sendMessage", update["message"]["chat"]["id"])
    assert [row["language"] for row in chats(database, tenant)] == ["en"]


def test_redelivery_of_an_update_links_once(database: Database, tenant: UUID) -> None:
    update = start(make_token(tenant))
    answers = [call(update) for _ in range(3)]
    assert [bool(body) for _, body in answers] == [True, False, False]
    assert len(chats(database, tenant)) == 1


def test_a_token_works_once_and_for_ten_minutes(
    database: Database, tenant: UUID, clock: FixedClock
) -> None:
    token, late = make_token(tenant), make_token(tenant)
    call(start(token))
    assert call(start(token)) == (200, {})
    clock.advance(minutes=11)
    assert call(start(late)) == (200, {})
    assert len(chats(database, tenant)) == 1


def test_a_group_chat_is_not_linked(database: Database, tenant: UUID) -> None:
    assert call(start(make_token(tenant), "supergroup")) == (200, {})
    assert chats(database, tenant) == []


def test_a_wrong_secret_or_bot_is_forbidden(database: Database, tenant: UUID) -> None:
    update = start(make_token(tenant))
    for parts in ({"secret": "guess"}, {"secret": ""}, {"bot": "1"}):
        status, body = call(update, **parts)
        assert (status, body["code"]) == (403, "webhook_secret_wrong")
    assert chats(database, tenant) == []


@pytest.mark.parametrize("body", ["{", "[]", '"x"', '{"update_id": "x", "message": []}', "null"])
def test_a_strange_body_is_answered_so_that_telegram_does_not_send_it_again(
    database: Database, body: str
) -> None:
    assert call(body) == (200, {})


def test_another_tenants_messages_are_not_listed(
    database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    from functions.notification_service.store import NotificationStore

    with database.transaction(tenant) as tx:
        NotificationStore(tx).add_telegram(uuid7(), uuid7(), "fill", 1, "text")
    for who, count in ((tenant, 1), (other_tenant, 0)):
        event = api_event("GET", "/v1/notifications", principal=principal(who))
        status, body = read_answer(api.handler(event, None))
        assert (status, len(body["items"])) == (200, count)


@pytest.mark.parametrize("number", [2**63, -(2**63), 10**40, 1.5, float("inf"), "x", None])
def test_numbers_that_no_column_holds_are_answered_and_dropped(
    database: Database, tenant: UUID, number: Any
) -> None:
    for place in ("update", "chat", "from"):
        update = start(make_token(tenant))
        if place == "update":
            update["update_id"] = number
        else:
            update["message"][place]["id"] = number
        assert call(update) == (200, {})
    assert chats(database, tenant) == []


def test_the_list_shows_exactly_what_is_documented(database: Database, tenant: UUID) -> None:
    from functions.notification_service.store import NotificationStore

    with database.transaction(tenant) as tx:
        NotificationStore(tx).add_telegram(uuid7(), uuid7(), "fill", 1, "text")
        NotificationStore(tx).claim_mail(uuid7(), uuid7(), "verification", "a@example.com")
    event = api_event("GET", "/v1/notifications", principal=principal(tenant), query={"limit": "1"})
    status, body = read_answer(api.handler(event, None))
    assert status == 200
    assert set(body) == {"items", "next_cursor"}
    assert set(body["items"][0]) == {
        "notification_id",
        "channel",
        "kind",
        "state",
        "created_at",
        "delivered_at",
    }
    assert body["next_cursor"] == body["items"][0]["notification_id"]
    query = {"limit": "1", "cursor": body["next_cursor"]}
    event = api_event("GET", "/v1/notifications", principal=principal(tenant), query=query)
    second = read_answer(api.handler(event, None))[1]["items"][0]
    assert {second["channel"], body["items"][0]["channel"]} == {"telegram", "email"}
