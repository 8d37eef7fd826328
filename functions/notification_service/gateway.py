"""Outside: Telegram's Bot API (python-telegram-bot), SMTP, and the shared rate limits in Redis."""

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from functions.notification_service.errors import (
    MessageRefused,
    ProviderUnavailable,
    RecipientGone,
    SlowDown,
)
from functions.notification_service.models import Mail
from kit.settings import read_secret

if TYPE_CHECKING:
    from email.message import EmailMessage

TIMEOUT_S = 5.0
PERMANENT_REFUSAL = 500
"""SMTP codes from here on say that trying again is useless."""


class TelegramSender:
    """One bot over one event loop, kept for the life of the process."""

    def __init__(self, secret: dict[str, Any]) -> None:
        from telegram import Bot
        from telegram.request import HTTPXRequest

        self._loop = asyncio.new_event_loop()
        request = HTTPXRequest(
            connection_pool_size=2,
            connect_timeout=TIMEOUT_S,
            read_timeout=TIMEOUT_S,
            write_timeout=TIMEOUT_S,
            pool_timeout=TIMEOUT_S,
            httpx_kwargs={"trust_env": False},
        )
        self._bot = Bot(
            secret["bot_token"], base_url=f"{secret['api_url'].rstrip('/')}/bot", request=request
        )
        self._loop.run_until_complete(request.initialize())

    def send(self, chat_id: int, text: str) -> None:
        """Send HTML; raises SlowDown, RecipientGone, MessageRefused, ProviderUnavailable."""
        from telegram.constants import ParseMode

        self._call(self._bot.send_message(chat_id, text, parse_mode=ParseMode.HTML))

    def read_username(self) -> str:
        """The bot's name, for deep links. Raises ProviderUnavailable."""
        try:
            user = self._call(self._bot.get_me())
        except (SlowDown, RecipientGone, MessageRefused) as error:
            raise ProviderUnavailable(error.detail) from error
        return str(user.username)

    def _call(self, coroutine: Any) -> Any:
        from telegram import error

        try:
            return self._loop.run_until_complete(asyncio.wait_for(coroutine, 2 * TIMEOUT_S))
        except error.RetryAfter as caught:
            wait = caught.retry_after
            seconds = wait if isinstance(wait, int | float) else wait.total_seconds()
            raise SlowDown(float(seconds)) from None
        except error.Forbidden as caught:
            raise RecipientGone(caught.message) from None
        except error.BadRequest as caught:
            if "chat not found" in caught.message.lower():
                raise RecipientGone(caught.message) from None
            raise MessageRefused(caught.message) from None
        except (error.TelegramError, TimeoutError) as caught:
            raise ProviderUnavailable(type(caught).__name__) from None


@lru_cache(maxsize=1)
def open_telegram() -> TelegramSender:
    """The process's bot."""
    return TelegramSender(read_secret("telegram"))


def compose_mail(mail: Mail, notification_id: UUID, sender: str, web_url: str) -> "EmailMessage":
    """Write a mail as RFC 5322 wants it; the same notification always has the same Message-ID."""
    from email.message import EmailMessage
    from email.utils import formatdate
    from urllib.parse import urlsplit

    host = urlsplit(web_url).hostname or "localhost"
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, mail.to, mail.subject
    message["Date"], message["Message-ID"] = formatdate(), f"<{notification_id}@{host}>"
    message["List-Id"] = f"Sinyal <{mail.kind.replace('_', '-')}.{host}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def send_mail(mail: Mail, notification_id: UUID, web_url: str) -> None:
    """Send a mail. Raises ProviderUnavailable, or MessageRefused for an address it never takes."""
    import smtplib
    import ssl

    secret = read_secret("smtp")
    message = compose_mail(mail, notification_id, secret["sender"], web_url)
    try:
        with smtplib.SMTP(secret["host"], int(secret["port"]), timeout=TIMEOUT_S) as smtp:
            if secret["tls"]:
                smtp.starttls(context=ssl.create_default_context())
            smtp.login(secret["username"], secret["password"])
            if not mail.to.isascii() and not smtp.has_extn("smtputf8"):
                raise MessageRefused("the mail server takes no international addresses")
            smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        if all(code >= PERMANENT_REFUSAL for code, _ in error.recipients.values()):
            raise MessageRefused("the mail server refuses the address") from error
        raise ProviderUnavailable("the mail server asks to try the address later") from error
    except (smtplib.SMTPException, OSError) as error:
        raise ProviderUnavailable(f"mail: {type(error).__name__}") from error


_BUCKETS = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local wait = 0
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local tat = math.max(tonumber(redis.call('GET', key) or '0'), now)
  wait = math.max(wait, tat - now - interval * (burst - 1))
end
if wait > 0 then return math.ceil(wait) end
for i, key in ipairs(KEYS) do
  local interval = tonumber(ARGV[2 * i - 1])
  local tat = math.max(tonumber(redis.call('GET', key) or '0'), now) + interval
  redis.call('SET', key, string.format('%.0f', tat), 'PX', 60000)
end
return 0
"""


class TelegramLimiter:
    """GCRA buckets of a chat and of the bot, checked together: a refusal costs neither."""

    def __init__(self, redis: Any, bot_id: str, chat_per_s: float, bot_per_s: float) -> None:
        self._script = redis.register_script(_BUCKETS)
        self._bot_id = bot_id
        self._arguments = [
            max(1, round(1_000 / chat_per_s)), max(1, round(chat_per_s)),
            max(1, round(1_000 / bot_per_s)), max(1, round(bot_per_s)),
        ]  # fmt: skip

    def wait_ms(self, chat_id: int) -> int:
        """Take a place: 0, or how long to wait. Without Redis one second goes by."""
        from redis import RedisError

        prefix = f"telegram:{{{self._bot_id}}}"
        try:
            keys = [f"{prefix}:{chat_id}", f"{prefix}:all"]
            return int(self._script(keys=keys, args=self._arguments))
        except RedisError:
            return 1_000
