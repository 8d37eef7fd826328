"""Redis: fast, forgetful, never the truth. Keys start with the tenant."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from kit.settings import read_secret

if TYPE_CHECKING:
    from redis import Redis


@lru_cache(maxsize=4)
def open_redis(url: str | None = None) -> "Redis[str]":
    """The process's client: 50 ms to connect or answer, no hidden retries."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(
        url or str(read_secret("redis")["url"]),
        socket_timeout=0.05,
        socket_connect_timeout=0.05,
        retry=Retry(NoBackoff(), 1),
        decode_responses=True,
    )


def tenant_key(tenant_id: UUID, *parts: Any) -> str:
    """A key in the tenant's hash slot: ``{tenant}:part:part``."""
    return ":".join([f"{{{tenant_id}}}", *map(str, parts)])
