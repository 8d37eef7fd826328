"""Who is connected, by tenant, so that a plan's limits hold over all of a tenant's connections.

Belongs to the server's loop; nothing here is shared with other threads.
"""

from collections import Counter
from uuid import UUID

from edge_bridge.stream.connection import StreamConnection, Subscription
from edge_bridge.stream.frames import TOO_MANY, Refused
from edge_bridge.stream.hub import Hub
from edge_bridge.stream.plans import StreamLimits
from edge_bridge.stream.topics import Topic, TopicName


class Roster:
    """The connections with a token, and who follows which stream."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._tenants: dict[UUID, dict[StreamConnection, None]] = {}
        self._symbols: dict[UUID, Counter[str]] = {}
        self._followers: dict[Topic, dict[Subscription, None]] = {}

    @property
    def size(self) -> int:
        """How many connections have a token."""
        return sum(map(len, self._tenants.values()))

    def list_connections(self) -> list[StreamConnection]:
        """Everybody, a tenant's older connections first."""
        return [each for tenant in self._tenants.values() for each in tenant]

    def list_followers(self, topic: Topic) -> list[Subscription]:
        """Who follows a stream."""
        return list(self._followers.get(topic, ()))

    def enter(self, connection: StreamConnection) -> None:
        """Take in a connection whose bearer is known. Raises Refused."""
        assert connection.who is not None and connection.limits is not None
        tenant_id = connection.who.tenant_id
        tenant = self._tenants.setdefault(tenant_id, {})
        if len(tenant) >= connection.limits.connections_max:
            raise _too_many(connection.limits.connections_max)
        tenant[connection] = None
        self._count(tenant_id)

    def leave(self, connection: StreamConnection) -> None:
        """Forget a connection and all it followed."""
        if connection.who is None:
            return
        tenant_id = connection.who.tenant_id
        for name in list(connection.subscriptions):
            self.unfollow(connection, name)
        tenant = self._tenants.get(tenant_id, {})
        if tenant.pop(connection, connection) is None:
            self._count(tenant_id)
        if not tenant:
            self._tenants.pop(tenant_id, None)
            self._symbols.pop(tenant_id, None)

    def check_symbol(self, connection: StreamConnection, symbol: str) -> None:
        """Whether a tenant may follow one symbol more. Raises Refused."""
        assert connection.who is not None and connection.limits is not None
        limits = connection.limits
        if not limits.allows(symbol):
            raise Refused("not_entitled", f"your plan does not include {symbol}")
        known = self._symbols.get(connection.who.tenant_id, Counter())
        if symbol not in known and len(known) >= (limits.symbols_max or len(known) + 1):
            raise Refused(
                "not_entitled", f"your plan streams {limits.symbols_max} symbols; end another first"
            )

    def follow(self, subscription: Subscription) -> None:
        """Note a subscription, after the checks."""
        connection = subscription.connection
        assert connection.who is not None
        topic = subscription.topic
        self._followers.setdefault(topic, {})[subscription] = None
        if topic.name.symbol is not None:
            symbols = self._symbols.setdefault(connection.who.tenant_id, Counter())
            symbols[topic.name.symbol] += 1

    def unfollow(self, connection: StreamConnection, name: TopicName) -> bool:
        """End a subscription; tell whether there was one."""
        subscription = connection.end(name)
        if subscription is None or connection.who is None:
            return False
        followers = self._followers[subscription.topic]
        del followers[subscription]
        if not followers:
            del self._followers[subscription.topic]
        if name.symbol is not None:
            symbols = self._symbols[connection.who.tenant_id]
            symbols[name.symbol] -= 1
            if not symbols[name.symbol]:
                del symbols[name.symbol]
        return True

    def list_surplus(
        self, tenant_id: UUID, limits: StreamLimits
    ) -> tuple[list[StreamConnection], list[tuple[StreamConnection, TopicName]]]:
        """What a tenant has beyond a plan: its newest connections, and streams of symbols that the
        plan does not name or that were begun after as many as it gives."""
        connections = list(self._tenants.get(tenant_id, ()))
        allowed = [each for each in self._symbols.get(tenant_id, ()) if limits.allows(each)]
        kept = {None, *allowed[: limits.symbols_max]}
        streams = [
            (connection, name)
            for connection in connections
            for name in connection.subscriptions
            if name.symbol not in kept
        ]
        return connections[limits.connections_max :], streams

    def _count(self, tenant_id: UUID) -> None:
        tenant = self._tenants.get(tenant_id, {})
        self._hub.usage.count_streams(tenant_id, len(tenant), self._hub.clock.now())


def _too_many(allowed: int) -> Refused:
    return Refused("too_many_connections", f"your plan has {allowed} connections", TOO_MANY)
