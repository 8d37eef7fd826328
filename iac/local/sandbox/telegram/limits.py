"""Telegram's sending limits as token buckets; off until a test turns them on."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from iac.local.sandbox.telegram.errors import too_many_requests

CHATS_MAX = 10_000


@dataclass
class Bucket:
    """A token bucket: holds one second's worth (at least one token)."""

    per_second: float
    tokens: float
    at: float

    def wait_s(self, now: float) -> float:
        """Refill, and tell how long until a token is there."""
        size = max(1.0, self.per_second)
        self.tokens = min(size, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        return 0.0 if self.tokens >= 1 else (1 - self.tokens) / self.per_second


class SendingLimits:
    """Per chat and per bot; 0 = no limit."""

    def __init__(self) -> None:
        self.chat_per_second = 0.0
        self.bot_per_second = 0.0
        self.group_per_minute = 0.0
        self._chats: OrderedDict[int, Bucket] = OrderedDict()
        self._bot: Bucket | None = None

    def take(self, chat_id: int) -> None:
        """Spend one message.

        Raises Refusal 429 with whole seconds to wait; nothing is spent then.
        """
        now = time.monotonic()
        buckets: list[Bucket] = []
        rate = self.chat_per_second
        if chat_id < 0 and self.group_per_minute:
            rate = self.group_per_minute / 60
        if rate:
            buckets.append(self._chat_bucket(chat_id, rate, now))
        if self.bot_per_second:
            if self._bot is None or self._bot.per_second != self.bot_per_second:
                self._bot = _full(self.bot_per_second, now)
            buckets.append(self._bot)
        wait = max((bucket.wait_s(now) for bucket in buckets), default=0.0)
        if wait > 0:
            raise too_many_requests(max(1, math.ceil(wait)))
        for bucket in buckets:
            bucket.tokens -= 1

    def _chat_bucket(self, chat_id: int, rate: float, now: float) -> Bucket:
        bucket = self._chats.get(chat_id)
        if bucket is None or bucket.per_second != rate:
            bucket = self._chats[chat_id] = _full(rate, now)
        if len(self._chats) > CHATS_MAX:
            self._chats.popitem(last=False)
        return bucket

    def clear(self) -> None:
        """Turn every limit off."""
        self.chat_per_second = self.bot_per_second = self.group_per_minute = 0.0
        self._chats.clear()
        self._bot = None


def _full(rate: float, now: float) -> Bucket:
    return Bucket(rate, max(1.0, rate), now)
