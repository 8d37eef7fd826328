"""Numbers never lie: every frame says how many items it stands for, whatever was left out."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from edge_bridge.stream.topics import FRAME_ITEMS_MAX, Overrun, Topic, TopicName


def make_topic(size: int) -> Topic:
    return Topic(TopicName("bars", None, "EURUSD", "M1"), "e", 5, size)


def read_frame(data: bytes) -> dict[str, object]:
    body: dict[str, object] = orjson.loads(data[data.index(b"{") :])
    return body


@given(st.integers(1, 40), st.lists(st.integers(0, 3), max_size=120), st.data())
def test_the_ring_holds_the_last_items_and_says_so(
    size: int, keys: list[int], data: st.DataObject
) -> None:
    topic = make_topic(size)
    for number, key in enumerate(keys, 1):
        topic.append(str(key), number)
    after = data.draw(st.integers(0, len(keys)))
    kept = len(keys) - after <= size
    assert topic.holds(after) == kept
    try:
        values = [item.value for item in topic.read(after, len(keys))]
    except Overrun:
        assert not kept
    else:
        assert kept
        assert values == list(range(after + 1, len(keys) + 1))
    assert not topic.holds(len(keys) + 1)
    assert not topic.holds(-1)


@given(st.integers(2, 40), st.lists(st.integers(0, 3), min_size=1, max_size=120), st.data())
def test_conflation_keeps_the_last_of_each_key_and_counts_the_rest(
    size: int, keys: list[int], data: st.DataObject
) -> None:
    topic = make_topic(size)
    for number, key in enumerate(keys, 1):
        topic.append(str(key), number)
    after = data.draw(st.integers(0, len(keys) - 1))
    message = read_frame(topic.frame_latest(after, len(keys))[0])
    items = message["items"]
    assert isinstance(items, list)
    assert after + int(str(message.get("conflated", 0))) + len(items) == message["seq"] == len(keys)
    window = keys[max(after, len(keys) - size // 2) :]
    assert {keys[value - 1] for value in items} == set(window)
    assert items == sorted(items)
    assert items[-1] == len(keys)


def test_a_frame_is_made_once_for_all_who_are_at_the_same_place() -> None:
    topic = make_topic(100)
    for number in range(10):
        topic.append("", number)
    assert topic.frame_items(3, 10)[0] is topic.frame_items(3, 10)[0]
    assert topic.frame_items(2, 10)[1] == 8


def test_frames_kept_for_sharing_are_bounded() -> None:
    topic = make_topic(1_000)
    for number in range(1_000):
        topic.append("", number)
    for start in range(500):
        topic.frame_items(start, start + FRAME_ITEMS_MAX)
    assert len(topic._frames) <= 64
