"""What the stream tells of itself to Prometheus."""

from edge_bridge.metrics import Counter, Gauge, Histogram, Registry

PAUSES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class StreamMetrics:
    """The stream's instruments; none of them tells one tenant from another."""

    def __init__(self, registry: Registry) -> None:
        add = registry.add
        self.connections = add(Gauge("sinyal_stream_connections", "Connections with a token."))
        self.strangers = add(Gauge("sinyal_stream_strangers", "Connections without one yet."))
        self.items = add(
            Counter("sinyal_stream_items_total", "Items written to clients.", ("channel",))
        )
        self.bytes = add(Counter("sinyal_stream_bytes_total", "Bytes written to clients."))
        self.conflated = add(
            Counter("sinyal_stream_conflated_total", "Items that clients behind were spared.")
        )
        self.closed = add(
            Counter("sinyal_stream_closed_total", "Connections ended by the server.", ("code",))
        )
        self.refused = add(Counter("sinyal_stream_refused_total", "Refusals.", ("code",)))
        self.begun = add(
            Counter("sinyal_stream_subscriptions_total", "Streams begun.", ("channel", "how"))
        )
        self.flush = add(
            Histogram("sinyal_stream_flush_seconds", "One round to all clients.", buckets=PAUSES)
        )
