"""Whatever happens to the connection, what a client has in the end has no gap and no double."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_bridge.stream.topics import RING_ITEMS
from tests.edge_bridge.stream.stream_kit import Client, Person, Stream

Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ticks"), st.sampled_from([1, 2, 7, 300, RING_ITEMS, RING_ITEMS + 9])),
        st.tuples(st.just("orders"), st.sampled_from([1, 2, 5, 40, 400, 1_100])),
        st.tuples(st.just("read"), st.integers(1, 4)),
        st.tuples(st.just("drop"), st.integers(0, 1)),
        st.tuples(st.just("other epoch"), st.just(0)),
    ),
    min_size=1,
    max_size=14,
)


@dataclass
class Reader:
    """A client's own record of one stream, kept over reconnects."""

    channel: str
    epoch: str | None = None
    seq: int = 0
    got: list[int] = field(default_factory=list)
    """Numbers of the ticks, in the order they came; a snapshot, or a gap
    that was told, begins the list anew."""
    books: dict[str, Any] = field(default_factory=dict)

    def take(self, message: dict[str, Any]) -> None:
        items = message["items"]
        if message["op"] == "snapshot":
            assert message["seq"] >= self.seq or message["epoch"] != self.epoch
            self.epoch, self.seq, self.got, self.books = message["epoch"], message["seq"], [], {}
        else:
            assert self.seq + message.get("conflated", 0) + len(items) == message["seq"]
            self.seq = message["seq"]
            if message.get("conflated"):  # more than the ring holds came at once; it says so
                assert self.channel == "ticks"
                self.got = []
        for item in items:
            if self.channel == "ticks":
                self.got.append(item[0])
            elif item["value"] is None:
                self.books.pop(item["key"], None)
            else:
                self.books[item["key"]] = item["value"]


class Run:
    """One tenant's life with the stream; the truth is what was published."""

    def __init__(self, stream: Stream, person: Person, symbol: str) -> None:
        self.stream, self.person, self.symbol = stream, person, symbol
        self.readers = {name: Reader(name) for name in ("ticks", "orders")}
        self.published = 0
        self.changes = 0
        self.books: dict[str, Any] = {}
        self.resumed = 0

    def publish_ticks(self, count: int) -> None:
        self.stream.tick(self.published + 1, self.symbol, count)
        self.published += count

    def publish_orders(self, count: int) -> None:
        for _ in range(count):
            self.changes += 1
            key = f"o{self.changes % 7}"
            payload = None if self.changes % 5 == 0 else {"change": self.changes}
            self.stream.hub.publish_private(self.person.tenant_id, "orders", key, payload)
            self.books.pop(key, None)
            if payload is not None:
                self.books[key] = payload

    def connect_again(self, client: Client) -> None:
        for name, reader in self.readers.items():
            where: dict[str, Any] = {"symbol": self.symbol} if name == "ticks" else {}
            if reader.epoch is not None:
                where |= {"from_seq": reader.seq, "epoch": reader.epoch}
            client.ask(op="subscribe", channel=name, **where)

    def read_one(self, client: Client) -> None:
        message = client.take()
        if message["op"] == "subscribed":
            reader = self.readers[message["channel"]]
            if message["resumed"]:
                self.resumed += 1
                assert (message["epoch"], message["seq"]) == (reader.epoch, reader.seq)
        else:
            assert message["op"] in ("snapshot", "delta"), message
            self.readers[message["channel"]].take(message)

    def play(self, steps: list[Step]) -> None:
        left = list(steps)
        while True:
            with self.stream.enter(self.person) as client:
                self.connect_again(client)
                dropped = self._play_until_dropped(client, left)
                if not dropped:
                    self.finish(client)
                    return

    def _play_until_dropped(self, client: Client, left: list[Step]) -> bool:
        while left:
            kind, amount = left.pop(0)
            match kind:
                case "ticks":
                    self.publish_ticks(amount)
                case "orders":
                    self.publish_orders(amount)
                case "read":
                    for _ in range(amount):
                        if not self.is_complete():
                            self.read_one(client)
                case "other epoch":
                    for reader in self.readers.values():
                        reader.epoch = reader.epoch and "before"
                    return True
                case _:
                    if amount:
                        client.socket.socket.close()
                    return True
        return False

    def is_complete(self) -> bool:
        ticks, orders = self.readers["ticks"], self.readers["orders"]
        known = None not in (ticks.epoch, orders.epoch)
        return known and ticks.seq == self.published and orders.seq == self.changes

    def finish(self, client: Client) -> None:
        while not self.is_complete():
            self.read_one(client)
        got = self.readers["ticks"].got
        assert got == list(range(self.published - len(got) + 1, self.published + 1))
        assert self.readers["orders"].books == self.books


COUNT = iter(range(10**9))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_a_client_that_comes_and_goes_ends_with_the_truth(
    stream: Stream, steps: list[Step]
) -> None:
    run = Run(stream, stream.newcomer(), f"S{next(COUNT)}")
    run.publish_ticks(1)
    run.play(steps)


def test_what_the_ring_holds_is_replayed_and_nothing_else_is_sent(stream: Stream) -> None:
    run = Run(stream, stream.newcomer(), "REPLAY")
    run.publish_ticks(3)
    with stream.enter(run.person) as client:
        run.connect_again(client)
        while not run.is_complete():
            run.read_one(client)
    run.publish_ticks(RING_ITEMS)
    run.publish_orders(900)
    before = len(run.readers["ticks"].got)
    run.play([])
    assert run.resumed == 2
    assert len(run.readers["ticks"].got) == before + RING_ITEMS


@pytest.mark.parametrize("late", [RING_ITEMS + 1, 3 * RING_ITEMS])
def test_who_is_too_late_gets_a_fresh_snapshot(stream: Stream, late: int) -> None:
    person, symbol = stream.newcomer(), f"LATE{late}"
    stream.tick(1, symbol)
    with stream.enter(person) as client:
        answer = client.follow(symbol=symbol)
    stream.tick(2, symbol, late)
    with stream.enter(person) as client:
        again = client.follow(symbol=symbol, from_seq=answer["seq"], epoch=answer["epoch"])
        assert not again["resumed"]
        assert again["snapshot"]["seq"] == late + 1
        assert again["snapshot"]["items"][0][0] == late + 1


@pytest.mark.parametrize("position", [5, 10**15])
def test_a_position_that_never_was_gets_a_fresh_snapshot(stream: Stream, position: int) -> None:
    person, symbol = stream.newcomer(), f"AHEAD{position}"
    stream.tick(1, symbol, 4)
    with stream.enter(person) as client:
        epoch = stream.hub.epoch
        answer = client.follow(symbol=symbol, from_seq=position, epoch=epoch)
        assert not answer["resumed"]
        assert answer["snapshot"]["seq"] == 4
