"""What is known of an API key: two seconds in the process, a minute in Redis, then asked anew.

Only what user_service accepted goes to Redis; a refusal is remembered for two seconds, in the
process alone. A key that is revoked meanwhile is ended by its mark, which the counting reads.
"""

import json
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol

from pydantic import ValidationError

from contracts.api_keys import ApiKeyAccepted, ApiKeyAnswer, ApiKeyText
from functions.api_gateway.errors import GateUnavailable, TokenRefused
from functions.api_gateway.logic.breaker import Breaker
from kit.observability import warn

PROCESS_LIFE_S = 2.0
SHARED_LIFE_S = 60
KEYS_MAX = 1_000


class Vouched(NamedTuple):
    """An accepted key and when user_service said so, epoch milliseconds."""

    key: ApiKeyAccepted
    at_ms: int


class SharedKeys(Protocol):
    """Redis, as far as keys go. Each raises GateUnavailable."""

    def read_key(self, digest: str) -> str | None:
        """What was kept."""

    def keep_key(self, digest: str, text: str, life_s: int) -> None:
        """Keep it for a while."""

    def forget_key(self, digest: str) -> None:
        """Ask anew next time."""


class KeyBook:
    """Finds out whose API key it is."""

    def __init__(
        self,
        shared: SharedKeys,
        breaker: Breaker,
        introspect: Callable[[ApiKeyText, datetime], ApiKeyAnswer],
        monotonic: Callable[[], float],
    ) -> None:
        self._shared, self._breaker = shared, breaker
        self._introspect, self._monotonic = introspect, monotonic
        self._known: OrderedDict[str, tuple[float, Vouched | None]] = OrderedDict()

    def find(self, text: ApiKeyText, now: datetime) -> Vouched:
        """Whose key it is. Raises TokenRefused, IntrospectionUnavailable."""
        fresh_until, vouched = self._known.get(text.digest, (0.0, None))
        if self._monotonic() >= fresh_until:
            vouched = self._read_shared(text) or self._ask(text, now)
            self._known[text.digest] = (self._monotonic() + PROCESS_LIFE_S, vouched)
            self._known.move_to_end(text.digest)
            if len(self._known) > KEYS_MAX:
                self._known.popitem(last=False)
        if vouched is None:
            raise TokenRefused("the API key opens nothing")
        if vouched.key.expires_at is not None and now >= vouched.key.expires_at:
            raise TokenRefused("the API key has expired")
        return vouched

    def forget(self, text: ApiKeyText) -> None:
        """Ask user_service the next time."""
        self._known.pop(text.digest, None)
        self._try(lambda: self._shared.forget_key(text.digest))

    def _ask(self, text: ApiKeyText, now: datetime) -> Vouched | None:
        answer = self._introspect(text, now)
        if not isinstance(answer, ApiKeyAccepted):
            return None
        vouched = Vouched(answer, int(now.timestamp() * 1_000))
        kept = json.dumps({"at_ms": vouched.at_ms, "key": answer.model_dump(mode="json")})
        self._try(lambda: self._shared.keep_key(text.digest, kept, SHARED_LIFE_S))
        return vouched

    def _read_shared(self, text: ApiKeyText) -> Vouched | None:
        kept = self._try(lambda: self._shared.read_key(text.digest))
        if not kept:
            return None
        try:
            values = json.loads(kept)
            return Vouched(ApiKeyAccepted.model_validate(values["key"]), int(values["at_ms"]))
        except (ValueError, LookupError, TypeError, ValidationError):
            warn("what was kept of an API key cannot be read", prefix=text.prefix)
            return None

    def _try(self, ask: Callable[[], str | None]) -> str | None:
        """Ask Redis if it answers these days; without it user_service is asked."""
        if not self._breaker.allows(self._monotonic()):
            return None
        try:
            return ask()
        except GateUnavailable:
            self._breaker.fail(self._monotonic())
            return None
