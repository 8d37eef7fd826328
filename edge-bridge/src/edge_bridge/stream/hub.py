"""Where the host's threads meet the stream: they put in, the server's loop reads out.

Putting in takes the hub's lock for a few microseconds and wakes the loop; it never waits for a
socket or a client, and what it fills is bounded: rings for changes, one entry a key for state.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from contracts.data_bridge import Bar
from contracts.envelope import Envelope
from contracts.subscription_service import EntitlementsChanged
from edge_bridge.metrics import Registry
from edge_bridge.stream.frames import FORBIDDEN, UNAUTHENTICATED, Refused, frame
from edge_bridge.stream.health import HostHealth, report_nothing
from edge_bridge.stream.metrics import StreamMetrics
from edge_bridge.stream.plans import StreamLimits, read_limits
from edge_bridge.stream.revocations import Revocations
from edge_bridge.stream.tokens import Identity
from edge_bridge.stream.topics import (
    PRIVATE,
    PRIVATE_RING_ITEMS,
    RING_ITEMS,
    Channel,
    Topic,
    TopicName,
)
from edge_bridge.stream.usage import Tally, UsageMeter
from edge_bridge.times import SystemClock, WallClock

TOPICS_MAX = 50_000
PRIVATE_KEYS_MAX = 1_000
PAYLOAD_BYTES_MAX = 4_096

_log = logging.getLogger(__name__)


class NotStreamable(ValueError):
    """What the host published cannot be streamed; nothing of it was taken."""


class Hub:
    """All streams of one edge. Every method may be called from any thread."""

    def __init__(
        self, edge: str, registry: Registry | None = None, clock: WallClock | None = None
    ) -> None:
        self.clock = clock or SystemClock()
        self.registry = registry or Registry()
        self.metrics = StreamMetrics(self.registry)
        self.usage = UsageMeter(edge, self.clock.now())
        self.tally = Tally()
        self.epoch = secrets.token_hex(8)
        """Numbers of another epoch mean nothing in this one."""
        self.read_health: Callable[[], HostHealth] = report_nothing
        self._lock = threading.Lock()
        self._topics: dict[TopicName, Topic] = {}
        self._changed: set[Topic] = set()
        self._plans: dict[UUID, tuple[int, StreamLimits]] = {}
        self._revocations = Revocations()
        self._rejudge = False
        self._awake = False
        self._notify: Callable[[], object] | None = None

    # What the host puts in.

    def publish_ticks(
        self,
        symbol: str,
        digits: int,
        ts_ns: Sequence[int],
        bid: Sequence[int],
        ask: Sequence[int],
    ) -> None:
        """Publish accepted ticks, oldest first: columns of UTC nanoseconds and points."""
        rows = list(zip(_ints(ts_ns), _ints(bid), _ints(ask), strict=True))
        with self._lock:
            topic = self._open_topic(TopicName("ticks", symbol=symbol), digits)
            for row in rows:
                topic.append("", row)
            if rows:
                topic.state[""] = rows[-1]
                self._changed.add(topic)
        self._wake()

    def publish_bar(self, symbol: str, digits: int, timeframe: str, bar: Bar, closed: bool) -> None:
        """Publish a bar that still forms, or is complete."""
        value = {**bar.model_dump(), "closed": closed}
        with self._lock:
            self._open_topic(TopicName("ticks", symbol=symbol), digits)
            topic = self._open_topic(TopicName("bars", None, symbol, timeframe), digits)
            topic.append(str(bar.open_ns), value)
            topic.state["closed" if closed else "forming"] = value
            if closed:
                topic.state.pop("forming", None)
            self._changed.add(topic)
        self._wake()

    def publish_private(
        self, tenant_id: UUID, channel: Channel, key: str, payload: dict[str, Any] | None
    ) -> None:
        """Publish what became of one of a tenant's things; None takes it out of the snapshot.

        Raises NotStreamable when it is no JSON, too large, or no private channel.
        """
        if channel not in PRIVATE or not isinstance(tenant_id, UUID):
            raise NotStreamable(f"{channel!r} is no private channel of a tenant")
        encoded = _encode({"key": key, "value": payload})
        with self._lock:
            topic = self._open_topic(TopicName(channel, tenant_id), None)
            topic.append(key, encoded)
            topic.state.pop(key, None)
            if payload is not None:
                topic.state[key] = encoded
            if len(topic.state) > PRIVATE_KEYS_MAX:
                oldest = next(iter(topic.state))
                del topic.state[oldest]
                topic.append(oldest, _encode({"key": oldest, "value": None}))
            self._changed.add(topic)
        self._wake()

    def declare_symbol(self, symbol: str, digits: int) -> None:
        """Tell of a symbol that will have ticks, so that clients may ask for it already."""
        with self._lock:
            self._open_topic(TopicName("ticks", symbol=symbol), digits)

    def set_entitlements(self, tenant_id: UUID, plan: EntitlementsChanged) -> None:
        """Take a tenant's plan, unless a newer one is known; open connections follow at once."""
        with self._lock:
            known = self._plans.get(tenant_id)
            if known is not None and known[0] >= plan.version:
                return
            self._plans[tenant_id] = plan.version, read_limits(plan)
            self._rejudge = True
        self._wake()

    def revoke(
        self,
        tenant_id: UUID | None = None,
        session_id: UUID | None = None,
        user_id: UUID | None = None,
        before: datetime | None = None,
    ) -> None:
        """End access: of a session for good, of a user's tokens issued before an instant (now), or,
        given alone, of a tenant until `reinstate`. Open connections are cut at once."""
        now_ms = int(self.clock.now().timestamp() * 1_000)
        before_ms = int(before.timestamp() * 1_000) if before else now_ms
        with self._lock:
            if session_id is not None:
                self._revocations.end_session(tenant_id, session_id, now_ms)
            if user_id is not None:
                self._revocations.end_user(tenant_id, user_id, before_ms, now_ms)
            if tenant_id is not None and session_id is None and user_id is None:
                self._revocations.shut_out(tenant_id)
            self._rejudge = True
        self._wake()

    def reinstate(self, tenant_id: UUID) -> None:
        """Let a suspended tenant in again."""
        with self._lock:
            self._revocations.let_in(tenant_id)

    def health(self, read: Callable[[], HostHealth]) -> None:
        """Say who knows the host's health; asked at each /health, from another thread."""
        self.read_health = read

    def take_usage(self, now: datetime, final: bool = False) -> list[Envelope]:
        """Take StreamUsageRecorded of the windows that are over; at the end of the process the
        open one too. Ids come from edge, tenant and window: sent again, it is the same record."""
        return self.usage.take(now, final)

    # What the server's loop reads out.

    def attach(self, notify: Callable[[], object] | None) -> None:
        """Say how the loop is woken, and wake it for what came before."""
        with self._lock:
            self._notify, self._awake = notify, False
        self._wake()

    def take_changes(self) -> tuple[list[Topic], bool]:
        """The topics with new items, and whether connections must be judged anew."""
        with self._lock:
            self._awake = False
            changed, rejudge = list(self._changed), self._rejudge
            self._changed.clear()
            self._rejudge = False
        return changed, rejudge

    def judge(self, who: Identity, now: datetime) -> StreamLimits:
        """What a connection's bearer may stream now. Raises Refused, to close it."""
        if who.has_expired(now):
            raise Refused("token_expired", "sign in or refresh, then connect again",
                          UNAUTHENTICATED)  # fmt: skip
        with self._lock:
            ended, plan = self._revocations.has_ended(who), self._plans.get(who.tenant_id)
        if ended:
            raise Refused("access_ended", "this access was ended; sign in again", UNAUTHENTICATED)
        if not who.may_read:
            raise Refused("forbidden", "the token does not allow reading", FORBIDDEN)
        if plan is None:
            raise Refused("not_entitled", "no plan of this tenant is known here", FORBIDDEN)
        return plan[1]

    def find_topic(self, name: TopicName) -> Topic:
        """The topic of that name. Raises Refused when there is no such symbol."""
        with self._lock:
            if name.tenant_id is not None:
                return self._open_topic(name, None)
            prices = self._topics.get(TopicName("ticks", symbol=name.symbol))
            if prices is None:
                raise Refused("not_found", f"{name.symbol} is not streamed here")
            return self._open_topic(name, prices.digits)

    def frame_snapshot(self, topic: Topic) -> tuple[bytes, int]:
        """A topic's present state as a frame, and the number of the last item in it."""
        with self._lock:
            head, items = topic.head, list(topic.state.values())
        return frame({"op": "snapshot", **topic.describe(), "seq": head, "items": items}), head

    def count_tally(self) -> None:
        """Meter what was written since the last time."""
        tally, self.tally = self.tally, Tally()
        if tally.tenants:
            self.usage.count(tally, self.clock.now())
            self.metrics.bytes.add(sum(size for _, size in tally.tenants.values()))
            for channel, items in tally.items.items():
                self.metrics.items.add(items, channel)

    def _open_topic(self, name: TopicName, digits: int | None) -> Topic:
        topic = self._topics.get(name)
        if topic is None:
            if len(self._topics) >= TOPICS_MAX:
                raise NotStreamable(f"{TOPICS_MAX} streams are open; no room for another")
            size = PRIVATE_RING_ITEMS if name.tenant_id is not None else RING_ITEMS
            topic = self._topics[name] = Topic(name, self.epoch, digits, size)
        if topic.digits != digits:
            raise NotStreamable(f"{name.symbol} has {topic.digits} digits here, not {digits}")
        return topic

    def _wake(self) -> None:
        notify = self._notify
        if self._awake or notify is None:
            return
        self._awake = True
        try:
            notify()
        except RuntimeError:  # the loop has just ended
            _log.debug("published after the stream's end")


def _ints(column: Sequence[int] | Any) -> Iterable[int]:
    """A column as Python's own ints."""
    listed: Iterable[int] = column.tolist() if hasattr(column, "tolist") else column
    return listed


def _encode(item: dict[str, Any]) -> orjson.Fragment:
    """An item as JSON that no later change of its parts can reach. Raises NotStreamable."""
    try:
        text = orjson.dumps(item)
    except TypeError as error:
        raise NotStreamable(f"{item['key']}: {error}") from error
    if len(text) > PAYLOAD_BYTES_MAX:
        raise NotStreamable(f"{item['key']} has {len(text)} bytes; {PAYLOAD_BYTES_MAX} at most")
    return orjson.Fragment(text)
