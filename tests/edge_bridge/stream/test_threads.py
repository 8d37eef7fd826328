"""Any thread of the host may publish: nothing is lost, and nobody waits for the stream."""

import threading
from uuid import UUID, uuid4

from edge_bridge.stream.hub import Hub
from edge_bridge.stream.topics import RING_ITEMS, TopicName
from tests.edge_bridge.stream.stream_kit import make_plan, run_stream, wait_until

THREADS, EACH = 4, 200
PLAN = make_plan()


def publish_from_threads(hub: Hub, tenant_id: UUID) -> None:
    def publish(thread: int) -> None:
        for number in range(EACH):
            hub.publish_ticks("EURUSD", 5, [number], [thread], [thread + 1])
            hub.publish_private(tenant_id, "orders", f"o{thread}", {"number": number})
            hub.set_entitlements(uuid4(), PLAN)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_ticks_of_many_threads_are_numbered_without_gap_and_in_each_threads_order() -> None:
    with run_stream() as stream:
        stream.hub.declare_symbol("EURUSD", 5)
        person = stream.newcomer()
        with stream.enter(person) as client:
            client.follow()
            client.follow("orders")
            publish_from_threads(stream.hub, person.tenant_id)
            seen: list[list[int]] = [[] for _ in range(THREADS)]
            orders: dict[str, int] = {}
            seqs = {"ticks": 0, "orders": 0}
            while seqs != {"ticks": THREADS * EACH, "orders": THREADS * EACH}:
                message = client.expect("delta")
                channel, items = message["channel"], message["items"]
                assert seqs[channel] + len(items) == message["seq"]
                seqs[channel] = message["seq"]
                for item in items:
                    if channel == "ticks":
                        seen[item[1]].append(item[0])
                    else:
                        orders[item["key"]] = item["value"]["number"]
        assert seen == [list(range(EACH))] * THREADS
        assert orders == {f"o{thread}": EACH - 1 for thread in range(THREADS)}


def test_a_hub_that_nobody_reads_stays_bounded() -> None:
    hub = Hub("edge")
    for number in range(3 * RING_ITEMS):
        hub.publish_ticks("EURUSD", 5, [number], [1], [2])
    tenant_id = uuid4()
    for number in range(3_000):
        hub.publish_private(tenant_id, "orders", f"o{number}", {})
    ticks = hub.find_topic(TopicName("ticks", symbol="EURUSD"))
    orders = hub.find_topic(TopicName("orders", tenant_id))
    assert (len(ticks._ring), len(ticks.state)) == (RING_ITEMS, 1)
    assert len(orders._ring) == 1_024
    assert list(orders.state) == [f"o{number}" for number in range(2_000, 3_000)]
    assert orders.head == 3_000 + 2_000  # what left the snapshot was told as removed


def test_publishing_goes_on_while_the_streams_loop_stands_still() -> None:
    """The loop is let go only after everything was published: were it waited for, this hung."""
    with run_stream() as stream:
        stream.hub.declare_symbol("EURUSD", 5)
        person = stream.newcomer()
        with stream.enter(person) as client:
            client.follow()
            held, let_go = threading.Event(), threading.Event()

            def stand_still() -> None:
                held.set()
                let_go.wait(30)

            loop = stream.server._loop
            assert loop is not None
            loop.call_soon_threadsafe(stand_still)
            assert held.wait(10)
            for number in range(1, 10_001):
                stream.tick(number)
            stream.hub.revoke(session_id=uuid4())
            assert not let_go.is_set()
            let_go.set()
            message = client.take()
            assert message["seq"] == message.get("conflated", 0) + len(message["items"]) == 10_000


def test_a_stopped_stream_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with run_stream() as stream, stream.enter(stream.newcomer()) as client:
        assert client.is_quiet()
        assert any(thread.name == "stream" for thread in threading.enumerate())
    wait_until(lambda: not {t for t in set(threading.enumerate()) - before if t.is_alive()})
