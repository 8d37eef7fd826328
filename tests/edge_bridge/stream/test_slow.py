"""A client that does not read costs itself its ticks one by one, then its connection; others
lose nothing and wait for nobody."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.edge_bridge.stream.stream_kit import Client, Person, Stream, run_stream, wait_until

SMALL: dict[str, Any] = {
    "socket_buffer_bytes": 2_048,
    "write_buffer_bytes": 1_024,
    "stall_timeout_s": 60,
}
ROUND = 20


@contextmanager
def deaf(stream: Stream, person: Person) -> Iterator[Client]:
    """A client whose system keeps little and whose library reads no more than it is asked for."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    raw.connect(("127.0.0.1", stream.server.port))
    with stream.connect(sock=raw, max_queue=1, ping_interval=None) as client:
        yield client.enter(person.sign())


def publish_until(stream: Stream, fast: Client, holds: Any) -> int:
    """Publish ticks, each round after the fast client has read the last, until something holds."""
    number = 1
    fast_seen = fast.got[-1]["seq"]
    while not holds():
        assert number < 200_000
        stream.tick(number + 1, count=ROUND)
        number += ROUND
        while fast_seen < number:
            message = fast.expect("delta")
            assert "conflated" not in message
            assert [item[0] for item in message["items"]] == list(
                range(fast_seen + 1, message["seq"] + 1)
            )
            fast_seen = message["seq"]
    return number


def test_a_client_behind_gets_the_latest_tick_and_is_told_how_many_it_missed() -> None:
    with run_stream(**SMALL) as stream:
        stream.tick(1)
        with (
            deaf(stream, stream.newcomer()) as slow,
            stream.enter(stream.newcomer()) as fast,
        ):
            slow.follow()
            fast.follow()
            publish_until(stream, fast, lambda: _is_behind(stream))
            last = publish_more(stream, fast, 2_000)
            seq, missed = 1, 0
            while seq < last:
                message = slow.expect("delta")
                items = message["items"]
                assert message["seq"] == seq + message.get("conflated", 0) + len(items)
                assert items[-1][0] == message["seq"]  # the newest of what it stands for
                missed += message.get("conflated", 0)
                seq = message["seq"]
            assert missed > 1_000
            assert stream.hub.metrics.conflated.read() == missed
            stream.tick(last + 1)  # it has caught up: one by one again
            assert slow.expect("delta")["items"] == [[last + 1, last + 101, last + 102]]


def _is_behind(stream: Stream) -> bool:
    return any(connection.behind for connection in list(stream.server._sockets))


def publish_more(stream: Stream, fast: Client, count: int) -> int:
    start = fast.got[-1]["seq"]
    for number in range(start + 1, start + count + 1, ROUND):
        stream.tick(number, count=ROUND)
        while fast.got[-1]["seq"] < number + ROUND - 1:
            assert "conflated" not in fast.expect("delta")
    return int(fast.got[-1]["seq"])


def test_a_client_that_reads_nothing_at_all_is_cut() -> None:
    with run_stream(**SMALL | {"stall_timeout_s": 0.3}) as stream:
        stream.tick(1)
        with (
            deaf(stream, stream.newcomer()) as slow,
            stream.enter(stream.newcomer()) as fast,
        ):
            slow.follow()
            fast.follow()
            cuts = stream.hub.metrics.closed
            publish_until(stream, fast, lambda: cuts.read("slow_consumer") == 1)
            assert fast.is_quiet()
        wait_until(lambda: not stream.server._sockets)


def test_private_changes_are_never_left_out_a_client_far_behind_is_cut_and_resumes() -> None:
    with run_stream(**SMALL) as stream:
        person = stream.newcomer()
        with deaf(stream, person) as slow, stream.enter(person) as fast:
            epoch = slow.follow("orders")["epoch"]
            fast.follow("orders")
            cuts, number = stream.hub.metrics.closed, 0
            while cuts.read("slow_consumer") == 0:
                number += 1
                assert number < 5_000
                payload = {"number": number, "text": "x" * 200}
                stream.hub.publish_private(person.tenant_id, "orders", "one", payload)
                while fast.got[-1]["seq"] < number:
                    assert fast.expect("delta")["items"][-1]["value"]["number"] <= number
            seq = read_in_order(slow, 0)
            assert 0 < seq < number
        with stream.enter(person) as again:
            answer = again.follow("orders", from_seq=seq, epoch=epoch)
            assert answer["resumed"]
            while seq < number:
                message = again.expect("delta")
                numbers = [item["value"]["number"] for item in message["items"]]
                assert numbers == list(range(seq + 1, message["seq"] + 1))
                seq = message["seq"]


def read_in_order(client: Client, seq: int) -> int:
    """Read until the connection is closed; the last number."""
    from websockets.exceptions import ConnectionClosed

    while True:
        try:
            message = client.take()
        except ConnectionClosed:
            return seq
        if message["op"] == "delta":
            numbers = [item["value"]["number"] for item in message["items"]]
            assert "conflated" not in message
            assert numbers == list(range(seq + 1, message["seq"] + 1))
            seq = message["seq"]


def test_answers_that_are_not_read_hold_up_only_the_one_who_asked() -> None:
    with run_stream(**SMALL, messages_burst=5_000) as stream:
        person = stream.newcomer()
        for number in range(200):
            payload = {"text": "x" * 1_000}
            stream.hub.publish_private(person.tenant_id, "orders", f"o{number}", payload)
        with deaf(stream, person) as slow, stream.enter(person) as fast:
            for _ in range(100):
                slow.ask(op="subscribe", channel="orders")
                slow.ask(op="unsubscribe", channel="orders")
            assert fast.is_quiet()
            held = [each.transport.get_write_buffer_size() for each in stream.server._sockets]
            assert max(held) < 2 * 220_000  # two snapshots at most, not a hundred
