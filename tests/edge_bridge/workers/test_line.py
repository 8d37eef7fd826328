"""A line to a worker, which is a bare socket here: what has left, what not, what is too old."""

import socket
from collections.abc import Iterator

import pytest

from edge_bridge.adapters.constants import CONNECTION
from edge_bridge.ports import (
    AccountState,
    Answered,
    Done,
    OrderRequest,
    Quote,
    Rejected,
    SendResult,
    TerminalUnavailable,
    TickColumns,
    Unknown,
)
from edge_bridge.workers import messages
from edge_bridge.workers.channel import BACKLOG_BYTES_MAX, Channel
from edge_bridge.workers.handles import RequestHandle
from edge_bridge.workers.line import IN_FLIGHT_MAX, STALE, Line, LineSettings
from edge_bridge.workers.market import MarketReader, MarketRing
from edge_bridge.workers.messages import State
from edge_bridge.workers.wire import (
    Frame,
    FrameReader,
    Kind,
    Ticks,
    WireBroken,
    pack_json,
    read_json,
)

ACCOUNT = AccountState(1, "Paper", "USD", 2, 100, 100, 0, 100, 100, True, True)
DONE = Done(1, 2, 3, 10, 100, 99, 100)


class Pair:
    """A line that is up, and the other end of its connection."""

    def __init__(self) -> None:
        server = socket.create_server(("127.0.0.1", 0))
        self.far = socket.create_connection(server.getsockname())
        near, _ = server.accept()
        server.close()
        for each in (near, self.far):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self.wakes = 0
        self.now_ns = 10**12
        self.channel = Channel(near, self.wake)
        settings = LineSettings(answer_wait_s=0.05, read_wait_s=0.05)
        self.line = Line(settings, lambda: self.now_ns)
        self._reader = FrameReader()

    def wake(self) -> None:
        self.wakes += 1

    def tell(self, **changes: object) -> None:
        """A state as of now."""
        state = State(self.now_ns, account=ACCOUNT, **changes)  # type: ignore[arg-type]
        content = messages.write_state(state)
        self.line.take_state(frame(Kind.STATE, 0, content))

    def answer(self, number: int, result: SendResult = DONE) -> None:
        self.line.take_answer(frame(Kind.ANSWER, number, messages.write_result(result)))

    def receive(self, count: int) -> list[Frame]:
        """What arrives at the other end."""
        self.far.settimeout(5)
        found: list[Frame] = []
        while len(found) < count:
            self.channel.flush()
            found += self._reader.read(self.far.recv(65_536))
        return found


def frame(kind: Kind, number: int, content: object) -> Frame:
    [found] = FrameReader().read(pack_json(kind, number, content))
    return found


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    pair.line.go_up(pair.channel, None)
    pair.tell()
    yield pair
    pair.channel.close()
    pair.far.close()


def order(comment: str = "") -> OrderRequest:
    return OrderRequest("test", "EURUSD", "buy", 10, comment=comment)


def fill_the_pipe(pair: Pair) -> list[RequestHandle]:
    """Begin large requests until one is refused."""
    handles: list[RequestHandle] = []
    for _ in range(IN_FLIGHT_MAX):
        handle = pair.line.begin(order("x" * 20_000))
        if isinstance(handle, Answered):
            return handles
        assert isinstance(handle, RequestHandle)
        handles.append(handle)
    raise AssertionError("never full")


def test_a_full_pipe_rejects_what_has_not_left_and_nobody_waits(pair: Pair) -> None:
    handles = fill_the_pipe(pair)
    refused = pair.line.begin(order("x" * 20_000)).poll()
    assert refused == Rejected(CONNECTION, "the worker takes nothing at the moment")
    arrived = pair.receive(len(handles))
    assert [each.number for each in arrived] == list(range(1, len(handles) + 1))


def test_a_death_leaves_unknown_what_had_left_and_rejects_what_had_not(pair: Pair) -> None:
    handles = fill_the_pipe(pair)
    left = [pair.channel.has_left(each.end) for each in handles]
    assert True in left
    assert False in left
    pair.line.go_down(pair.channel, "killed")
    kinds = [type(each.poll()) for each in handles]
    assert kinds == [Unknown if each else Rejected for each in left]


def test_a_half_sent_request_counts_as_not_left(pair: Pair) -> None:
    big = order("x" * (BACKLOG_BYTES_MAX - 1_000))
    handle = pair.line.begin(big)
    pair.line.go_down(pair.channel, "killed")
    assert isinstance(handle.poll(), Rejected)


def test_an_answer_is_seen_with_the_state_that_follows_it(pair: Pair) -> None:
    handle = pair.line.begin(order())
    pair.answer(1)
    assert handle.poll() is None
    pair.tell()
    assert handle.poll() == DONE
    assert handle.poll() == DONE


@pytest.mark.parametrize("end", ["pause", "go_down"])
def test_an_answer_is_not_lost_when_no_state_follows_it(pair: Pair, end: str) -> None:
    handle = pair.line.begin(order())
    pair.answer(1)
    if end == "pause":
        pair.line.pause("pipe died")
    else:
        pair.line.go_down(pair.channel, "died")
    assert handle.poll() == DONE


def test_numbers_are_never_used_again_and_nothing_is_kept_for_the_next_worker(pair: Pair) -> None:
    first = pair.line.begin(order())
    pair.receive(1)
    pair.line.go_down(pair.channel, "died")
    assert isinstance(first.poll(), Unknown)
    pair.line.go_up(pair.channel, None)
    assert isinstance(pair.line.begin(order()).poll(), Rejected)  # nothing is known of it yet
    pair.tell()
    pair.line.begin(order())
    [again] = pair.receive(1)
    assert again.number == 2


def test_an_answer_to_nothing_breaks_the_wire(pair: Pair) -> None:
    with pytest.raises(WireBroken):
        pair.answer(1)
    pair.line.begin(order())
    pair.answer(1)
    with pytest.raises(WireBroken):
        pair.answer(1)


def test_so_many_requests_may_be_in_flight(pair: Pair) -> None:
    for _ in range(IN_FLIGHT_MAX):
        pair.line.begin(order())
        pair.receive(1)
    result = pair.line.begin(order()).poll()
    assert result == Rejected(CONNECTION, f"{IN_FLIGHT_MAX} requests are in flight")


def test_waiting_for_an_answer_ends_and_leaves_it_unknown(pair: Pair) -> None:
    assert isinstance(pair.line.execute(order()), Unknown)
    handle = pair.line.ask("deals", 1, read=lambda _, rows: list(rows))
    with pytest.raises(TerminalUnavailable, match="no answer in"):
        pair.line.wait(handle)


def test_what_cannot_be_written_is_rejected(pair: Pair) -> None:
    for strange in (OrderRequest("x", "EURUSD", "buy", 10, magic=2**70), order("\ud800")):
        result = pair.line.begin(strange).poll()
        assert isinstance(result, Rejected)
        assert result.reason.startswith("cannot be written")


def test_an_old_state_is_no_answer(pair: Pair) -> None:
    pair.tell(quotes=[Quote("EURUSD", 1, 2, 3)])
    assert pair.line.fresh().find_quote("EURUSD") == Quote("EURUSD", 1, 2, 3)
    pair.now_ns += 6_000_000_000
    with pytest.raises(TerminalUnavailable, match="told nothing"):
        pair.line.fresh()
    assert pair.line.begin(order()).poll() == Rejected(CONNECTION, STALE)


def test_a_request_carries_the_time_after_which_it_must_not_be_executed(pair: Pair) -> None:
    pair.line.begin(order())
    [request] = pair.receive(1)
    deadline_ns, _ = messages.read_action(read_json(request.payload))
    assert deadline_ns == pair.now_ns + LineSettings().request_life_ns


def wide(seq: int, count: int) -> Ticks:
    column = list(range(count))
    return Ticks("EURUSD", seq, TickColumns(column, column, column))


def test_an_order_never_overtakes_the_market(pair: Pair) -> None:
    ring = MarketRing()
    pair.line.go_up(pair.channel, MarketReader(ring, 1))
    pair.tell()
    ring.append(wide(0, 3))
    handle = pair.line.begin(order())
    assert handle.poll() is None
    assert [each.kind for each in pair.receive(2)] == [Kind.MARKET, Kind.REQUEST]
    for number in range(20):
        ring.append(wide(8_000 * number, 8_000))
    behind = pair.line.begin(order()).poll()
    assert behind == Rejected(CONNECTION, "the simulated terminal is behind the market")
    while not pair.line.pump_market():
        pair.receive(1)
    assert pair.line.begin(order()).poll() is None


def test_a_reader_that_falls_behind_the_ring_counts_what_it_missed(pair: Pair) -> None:
    ring = MarketRing(bytes_max=2_000)
    reader = MarketReader(ring, 1)
    for number in range(100):
        ring.append(wide(number, 10))
    reader.pump(pair.channel)
    arrived = pair.receive(1)
    assert reader.missed == arrived[0].number - 1 > 0


def test_a_terminal_goes_on_where_it_was_and_gets_the_price_of_now() -> None:
    ring = MarketRing()
    assert ring.resume(None) == (1, [])
    for symbol in ("EURUSD", "USDJPY", "EURUSD"):
        ring.append(Ticks(symbol, ring.next, TickColumns([1], [2], [3])))
    assert [ring.resume(None)[0], len(ring.resume(None)[1])] == [4, 2]
    number, frames = ring.resume(2)
    assert number == 3
    [only] = [FrameReader().read(each)[0] for each in frames]
    assert (only.number, b"USDJPY" in only.payload) == (2, True)
