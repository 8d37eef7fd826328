"""The Telegram sandbox against the real python-telegram-bot package."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from telegram import Bot, BotCommand, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, Update
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TimedOut,
)
from telegram.request import HTTPXRequest

from tests.iac.sandbox.stack import (
    BOT_ID,
    BOT_TOKEN,
    WEBHOOK_SECRET,
    SandboxStack,
    WebhookReceiver,
)

CHAT = 4_242
T = TypeVar("T")


@asynccontextmanager
async def open_bot(sandbox: SandboxStack, token: str = BOT_TOKEN) -> AsyncIterator[Bot]:
    quick = {"verify": False}  # plain http: no certificates to load for each bot
    bot = Bot(
        token,
        base_url=f"{sandbox.endpoints['telegram']}/bot",
        request=HTTPXRequest(httpx_kwargs=quick),
        get_updates_request=HTTPXRequest(httpx_kwargs=quick),
    )
    async with bot:
        yield bot


def use_bot(sandbox: SandboxStack, work: Callable[[Bot], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_bot(sandbox) as bot:
            return await work(bot)

    return asyncio.run(run())


def send(sandbox: SandboxStack, text: str, **options: Any) -> Any:
    return use_bot(sandbox, lambda bot: bot.send_message(CHAT, text, **options))


def test_the_bot_knows_itself(sandbox: SandboxStack) -> None:
    me = use_bot(sandbox, lambda bot: bot.get_me())
    assert (me.id, me.is_bot) == (BOT_ID, True)


def test_a_wrong_token_is_401_and_a_malformed_one_404(sandbox: SandboxStack) -> None:
    url = sandbox.endpoints["telegram"]
    wrong = sandbox.client.get(f"{url}/bot{BOT_ID}:AAwrongTokenForTheSandbox/getMe")
    malformed = sandbox.client.get(f"{url}/botnonsense/getMe")
    assert (wrong.status_code, malformed.status_code) == (401, 404)
    assert wrong.json() == {"ok": False, "error_code": 401, "description": "Unauthorized"}

    async def initialize() -> None:
        async with open_bot(sandbox, f"{BOT_ID}:AAwrongTokenForTheSandbox"):
            pass

    with pytest.raises(InvalidToken):
        asyncio.run(initialize())


def test_a_message_in_html_arrives_as_plain_text_with_entities(sandbox: SandboxStack) -> None:
    markup = "<b>BUY</b> EURUSD &lt;1.1 🚀 <a href='https://example.com'>why</a>"
    message = send(sandbox, markup, parse_mode="HTML")
    assert message.text == "BUY EURUSD <1.1 🚀 why"
    assert [(one.type, one.offset, one.length) for one in message.entities] == [
        ("bold", 0, 3),
        ("text_link", 19, 3),
    ]
    kept = sandbox.get("telegram", f"messages?chat_id={CHAT}")
    assert [(one["text"], one["source_text"]) for one in kept] == [(message.text, markup)]


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<b>open", "Can't find end tag"),
        ("<b><i>crossed</b></i>", "Unmatched end tag"),
        ("<h1>title</h1>", "Unsupported start tag"),
        ("1 < 2", "Unsupported start tag"),
        ("closed</b>", "Unexpected end tag"),
    ],
)
def test_bad_html_is_refused_in_telegrams_words(
    sandbox: SandboxStack, markup: str, words: str
) -> None:
    with pytest.raises(BadRequest, match=f"(?i){re.escape(words)}"):
        send(sandbox, markup, parse_mode="HTML")


def test_a_text_may_hold_4096_characters_and_not_one_more(sandbox: SandboxStack) -> None:
    assert send(sandbox, "x" * 4_096).text
    with pytest.raises(BadRequest, match="too long"):
        send(sandbox, "x" * 4_097)
    with pytest.raises(BadRequest, match="empty"):
        send(sandbox, " ")


def test_callback_data_may_hold_64_bytes_and_not_one_more(sandbox: SandboxStack) -> None:
    def keyboard(data: str) -> InlineKeyboardMarkup:
        return InlineKeyboardMarkup([[InlineKeyboardButton("Kill", callback_data=data)]])

    assert send(sandbox, "stop?", reply_markup=keyboard("é" * 32)).reply_markup
    with pytest.raises(BadRequest, match=r"(?i)BUTTON_DATA_INVALID"):
        send(sandbox, "stop?", reply_markup=keyboard("é" * 32 + "x"))


def test_a_text_that_looks_like_json_stays_a_text(sandbox: SandboxStack) -> None:
    assert send(sandbox, '["a"]').text == '["a"]'


def test_json_bodies_work_like_forms(sandbox: SandboxStack) -> None:
    url = f"{sandbox.endpoints['telegram']}/bot{BOT_TOKEN}/sendMessage"
    answer = sandbox.client.post(url, json={"chat_id": CHAT, "text": "halo"}).json()
    assert answer["ok"]
    assert answer["result"]["text"] == "halo"
    broken = sandbox.client.post(url, content=b"{", headers={"content-type": "application/json"})
    assert broken.status_code == 400


def test_messages_can_be_edited_and_deleted(sandbox: SandboxStack) -> None:
    async def work(bot: Bot) -> None:
        message = await bot.send_message(CHAT, "one")
        await bot.edit_message_text("two", chat_id=CHAT, message_id=message.message_id)
        with pytest.raises(BadRequest, match="not modified"):
            await bot.edit_message_text("two", chat_id=CHAT, message_id=message.message_id)
        assert await bot.delete_message(CHAT, message.message_id)
        with pytest.raises(BadRequest, match="not found"):
            await bot.delete_message(CHAT, message.message_id)

    use_bot(sandbox, work)
    kept = sandbox.get("telegram", "messages")
    assert [(one["text"], one["deleted"]) for one in kept] == [("two", True)]


def test_documents_and_photos_come_as_multipart(sandbox: SandboxStack) -> None:
    async def work(bot: Bot) -> Any:
        await bot.send_photo(CHAT, b"\x89PNG not really", caption="chart")
        return await bot.send_document(
            CHAT,
            InputFile(b"%PDF-1.7 invoice", filename="INV-1.pdf"),
            caption="<b>Faktur</b>",
            parse_mode="HTML",
        )

    message = use_bot(sandbox, work)
    assert message.document.file_name == "INV-1.pdf"
    assert message.caption == "Faktur"
    kept = sandbox.get("telegram", "messages")[-1]["document"]
    assert (kept["file_name"], kept["size"]) == ("INV-1.pdf", 16)


def test_commands_are_kept_by_language(sandbox: SandboxStack) -> None:
    async def work(bot: Bot) -> tuple[Any, Any]:
        await bot.set_my_commands([BotCommand("mulai", "Mulai")], language_code="id")
        await bot.set_my_commands([BotCommand("start", "Start")])
        return await bot.get_my_commands(language_code="id"), await bot.get_my_commands()

    indonesian, default = use_bot(sandbox, work)
    assert (indonesian[0].command, default[0].command) == ("mulai", "start")


def test_chats_and_actions_answer(sandbox: SandboxStack) -> None:
    async def work(bot: Bot) -> Any:
        assert await bot.send_chat_action(CHAT, "typing")
        with pytest.raises(BadRequest):
            await bot.send_chat_action(CHAT, "dancing")
        return await bot.get_chat(CHAT)

    assert use_bot(sandbox, work).type == "private"


def test_a_blocked_chat_is_forbidden_until_it_returns(sandbox: SandboxStack) -> None:
    sandbox.post("telegram", "updates", chat_id=CHAT, blocked=True)
    with pytest.raises(Forbidden, match="blocked"):
        send(sandbox, "halo")
    sandbox.post("telegram", "updates", chat_id=CHAT, text="/start")
    assert send(sandbox, "halo").text == "halo"


def test_unknown_chats_are_refused_when_asked(sandbox: SandboxStack) -> None:
    sandbox.post("telegram", "config", strict_chats=True)
    with pytest.raises(BadRequest, match=r"(?i)chat not found"):
        send(sandbox, "halo")


def test_a_migrated_group_names_its_new_id(sandbox: SandboxStack) -> None:
    sandbox.post("telegram", "config", migrated_chats={str(CHAT): -100_500})
    with pytest.raises(ChatMigrated) as error:
        send(sandbox, "halo")
    assert error.value.new_chat_id == -100_500


def test_limits_are_off_until_they_are_set(sandbox: SandboxStack) -> None:
    async def flood(bot: Bot) -> None:
        for number in range(5):
            await bot.send_message(CHAT, str(number))

    use_bot(sandbox, flood)
    sandbox.post("telegram", "config", chat_per_second=1)
    with pytest.raises(RetryAfter) as error:
        use_bot(sandbox, flood)
    assert error.value.retry_after in (1, 2)


def test_one_chats_limit_leaves_other_chats_alone(sandbox: SandboxStack) -> None:
    sandbox.post("telegram", "config", chat_per_second=1)

    async def work(bot: Bot) -> None:
        await bot.send_message(CHAT, "first")
        with pytest.raises(RetryAfter):
            await bot.send_message(CHAT, "second")
        assert await bot.send_message(CHAT + 1, "another chat")

    use_bot(sandbox, work)


def test_a_429_on_demand_names_the_wait(sandbox: SandboxStack) -> None:
    sandbox.fault("telegram", match="sendMessage", status=429, retry_after=7)
    with pytest.raises(RetryAfter) as error:
        send(sandbox, "halo")
    assert error.value.retry_after == 7
    assert send(sandbox, "halo").text == "halo"


def test_drops_and_server_errors_reach_the_client(sandbox: SandboxStack) -> None:
    sandbox.fault("telegram", match="sendMessage", drop=True)
    with pytest.raises(NetworkError):
        send(sandbox, "halo")
    sandbox.fault("telegram", match="sendMessage", status=502)
    with pytest.raises(NetworkError):
        send(sandbox, "halo")
    assert sandbox.get("telegram", "messages") == []


def test_a_timeout_may_hide_a_message_that_arrived(sandbox: SandboxStack) -> None:
    sandbox.fault("telegram", match="sendMessage", delay_ms=300)
    with pytest.raises(TimedOut):
        send(sandbox, "halo", read_timeout=0.1)
    deadline = time.monotonic() + 5
    while not sandbox.get("telegram", "messages") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [one["text"] for one in sandbox.get("telegram", "messages")] == ["halo"]


def test_updates_are_posted_to_the_webhook_with_its_secret(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    use_bot(sandbox, lambda bot: bot.set_webhook(webhook.url, secret_token="other-secret"))
    report = sandbox.post("telegram", "updates", chat_id=CHAT, text="/start abc").json()
    assert (report["delivered"], report["status"]) == (True, 200)
    call = webhook.received[0]
    assert call.headers["x-telegram-bot-api-secret-token"] == "other-secret"
    update = Update.de_json(call.body, None)
    assert update is not None
    assert update.message is not None
    assert (update.message.text, update.message.chat.id) == ("/start abc", CHAT)
    assert update.message.entities[0].type == "bot_command"


def test_a_whole_update_is_passed_on_as_it_is(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    sandbox.post("telegram", "config", webhook_url=webhook.url)
    edited = {"update_id": 77, "edited_message": {"message_id": 1, "text": "/buy"}}
    sandbox.post("telegram", "updates", **edited)
    assert webhook.received[0].body == edited
    assert sandbox.post("telegram", "updates", chat_id=CHAT).status_code == 400


def test_the_secret_of_the_environment_is_used_for_a_configured_webhook(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    sandbox.post("telegram", "config", webhook_url=webhook.url, secret_token=WEBHOOK_SECRET)
    sandbox.post("telegram", "updates", chat_id=CHAT, text="halo")
    sandbox.post("telegram", "updates", chat_id=CHAT, text="halo", secret="forged")
    secrets = [call.headers["x-telegram-bot-api-secret-token"] for call in webhook.received]
    assert secrets == [WEBHOOK_SECRET, "forged"]


def test_a_refused_update_is_reported_and_shows_in_the_webhook_info(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    webhook.statuses.append(503)
    sandbox.post("telegram", "config", webhook_url=webhook.url)
    report = sandbox.post("telegram", "updates", chat_id=CHAT, text="halo").json()
    assert (report["delivered"], report["status"]) == (False, 503)
    info = use_bot(sandbox, lambda bot: bot.get_webhook_info())
    assert "503" in (info.last_error_message or "")


def test_the_same_update_can_come_twice(sandbox: SandboxStack, webhook: WebhookReceiver) -> None:
    sandbox.post("telegram", "config", webhook_url=webhook.url)
    sandbox.post("telegram", "updates", chat_id=CHAT, text="halo", deliveries=2)
    assert webhook.received[0].body == webhook.received[1].body


def test_a_pressed_button_can_be_answered_once(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    message = send(sandbox, "stop?")
    sandbox.post("telegram", "config", webhook_url=webhook.url)
    pressed = {"chat_id": CHAT, "callback_data": "v1:kill", "message_id": message.message_id}
    sandbox.post("telegram", "updates", **pressed)
    update = Update.de_json(webhook.received[0].body, None)
    assert update is not None
    query = update.callback_query
    assert query is not None
    assert query.data == "v1:kill"

    async def answer(bot: Bot) -> None:
        assert await bot.answer_callback_query(query.id, "done")
        with pytest.raises(BadRequest, match="too old"):
            await bot.answer_callback_query(query.id)

    use_bot(sandbox, answer)


def test_polling_is_refused_while_a_webhook_is_set(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    sandbox.post("telegram", "config", webhook_url=webhook.url)
    with pytest.raises(Conflict):
        use_bot(sandbox, lambda bot: bot.get_updates())
    use_bot(sandbox, lambda bot: bot.delete_webhook())
    sandbox.post("telegram", "updates", chat_id=CHAT, text="halo")
    updates = use_bot(sandbox, lambda bot: bot.get_updates())
    assert updates[0].message is not None
    assert updates[0].message.text == "halo"


def test_a_webhook_in_plain_http_is_for_this_machine_only(sandbox: SandboxStack) -> None:
    with pytest.raises(BadRequest, match=r"(?i)HTTPS"):
        use_bot(sandbox, lambda bot: bot.set_webhook("http://example.com/hook"))


def test_a_localhost_name_reaches_this_machine_with_its_host_header(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    named = webhook.url.replace("127.0.0.1", "api.sinyal.localhost")
    use_bot(sandbox, lambda bot: bot.set_webhook(named, secret_token="s"))
    assert sandbox.post("telegram", "updates", chat_id=CHAT, text="halo").json()["delivered"]
    assert webhook.received[0].headers["host"].startswith("api.sinyal.localhost:")


def test_recorded_requests_do_not_show_the_token(sandbox: SandboxStack) -> None:
    send(sandbox, "halo")
    recorded = sandbox.get("telegram", "requests?match=sendMessage")
    assert recorded[0]["path"] == f"/bot{BOT_ID}:***/sendMessage"
    assert recorded[0]["status"] == 200
