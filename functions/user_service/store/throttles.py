"""Wrong guesses, counted in Redis in one atomic step; in PostgreSQL when Redis is away.

Redis knows the time itself, so that servers whose clocks disagree count alike. Without Redis the
account's counter in PostgreSQL holds: an attacker gets at most the free guesses once more, and the
network address is not counted.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from functions.user_service.models import (
    ATTEMPT_MEMORY,
    BLOCK_FIRST,
    BLOCK_LONGEST,
    DOUBLINGS_MAX,
    Admission,
    Subject,
    block_length,
)
from functions.user_service.store.attempts import AttemptStore
from kit.cache import open_redis
from kit.db import Transaction
from kit.errors import Unavailable
from kit.observability import warn
from kit.settings import read_secret

if TYPE_CHECKING:
    from redis import Redis
    from redis.commands.core import Script

# KEYS: a hash {n, until} a subject. ARGV: first block, longest, doublings, memory (ms), then the
# free number of each subject. Answer: the wait in ms (0: counted everywhere), then each count.
ADMIT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wait = 0
for _, key in ipairs(KEYS) do
  local rest = tonumber(redis.call('HGET', key, 'until') or '0')
  if rest - now > wait then wait = rest - now end
end
local answer = {wait}
if wait > 0 then return answer end
for i, key in ipairs(KEYS) do
  local n = redis.call('HINCRBY', key, 'n', 1)
  local free = tonumber(ARGV[4 + i])
  if n >= free then
    local doublings = math.min(n - free, tonumber(ARGV[3]))
    local block = math.min(ARGV[1] * 2 ^ doublings, tonumber(ARGV[2]))
    redis.call('HSET', key, 'until', string.format('%d', now + block))
  end
  redis.call('PEXPIRE', key, ARGV[4])
  answer[i + 1] = n
end
return answer
"""

# A right guess takes itself back where many are counted together, and all where one is.
FORGIVE = """
for i, key in ipairs(KEYS) do
  if ARGV[i] == 'network' then
    if redis.call('EXISTS', key) == 1 and redis.call('HINCRBY', key, 'n', -1) <= 0 then
      redis.call('DEL', key)
    end
  else
    redis.call('DEL', key)
  end
end
return 0
"""


def _ms(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)


class ThrottleStore:
    """Counts guesses before they are looked at."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def admit(self, subjects: Sequence[Subject]) -> Admission:
        """Count one guess for all subjects, or for none when one of them rests."""
        from redis.exceptions import RedisError

        try:
            return self._admit_in_redis(subjects)
        except (RedisError, Unavailable) as error:
            warn("guesses are counted without Redis", error=type(error).__name__)
            return self._admit_in_sql(subjects)

    def forgive(self, subjects: Sequence[Subject]) -> None:
        """Forget the guesses of those who guessed right."""
        from redis.exceptions import RedisError

        try:
            keys = [_name(subject) for subject in subjects]
            _forgive_script(_client())(keys=keys, args=[subject.kind for subject in subjects])
        except (RedisError, Unavailable) as error:
            warn("guesses are forgiven without Redis", error=type(error).__name__)
            for subject in _counted_in_sql(subjects):
                AttemptStore(self._tx).forget(subject.key, self._tx.now - ATTEMPT_MEMORY)

    def _admit_in_redis(self, subjects: Sequence[Subject]) -> Admission:
        rules = [_ms(BLOCK_FIRST), _ms(BLOCK_LONGEST), DOUBLINGS_MAX, _ms(ATTEMPT_MEMORY)]
        answer = _admit_script(_client())(
            keys=[_name(subject) for subject in subjects],
            args=[*rules, *(subject.free for subject in subjects)],
        )
        if answer[0] > 0:
            return Admission(wait_s=-(-answer[0] // 1000))
        return Admission(locks=_locks(subjects, answer[1:]))

    def _admit_in_sql(self, subjects: Sequence[Subject]) -> Admission:
        counter, now = AttemptStore(self._tx), self._tx.now
        counted = _counted_in_sql(subjects)
        counts = []
        for subject in counted:
            attempt = counter.count_attempt(subject.key, now - ATTEMPT_MEMORY)
            if attempt.blocked_until is not None and attempt.blocked_until > now:
                wait_s = max(1, round((attempt.blocked_until - now).total_seconds()))
                return Admission(wait_s=wait_s)
            if attempt.failures >= subject.free:
                counter.block(subject.key, now + block_length(attempt.failures, subject.free))
            counts.append(attempt.failures)
        return Admission(locks=_locks(counted, counts))


def _locks(subjects: Sequence[Subject], counts: Sequence[int]) -> bool:
    """Whether this guess is the one that begins an account's lock: told once, not at each block."""
    return any(
        subject.kind in ("account", "code") and count == subject.free
        for subject, count in zip(subjects, counts, strict=True)
    )


def _counted_in_sql(subjects: Sequence[Subject]) -> list[Subject]:
    return [subject for subject in subjects if subject.kind != "network"]


def _name(subject: Subject) -> str:
    """One slot for all: a guess is counted for its address and its network at once."""
    return f"{{throttle}}:{subject.kind}:{subject.key.hex()}"


def _client() -> "Redis[str]":
    return open_redis(str(read_secret("redis")["url"]))


@lru_cache(maxsize=4)
def _admit_script(client: "Redis[str]") -> "Script":
    return client.register_script(ADMIT)


@lru_cache(maxsize=4)
def _forgive_script(client: "Redis[str]") -> "Script":
    return client.register_script(FORGIVE)
