"""What is written at one end is read at the other; anything else is a broken wire."""

from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_bridge.values import (
    AccountState,
    Action,
    Bar,
    Deal,
    Instrument,
    PendingOrder,
    Position,
    Quote,
    SendResult,
    TickColumns,
)
from edge_bridge.workers import messages
from edge_bridge.workers.messages import FeedMark, Opening, State
from edge_bridge.workers.wire import (
    PAYLOAD_BYTES_MAX,
    TICKS_A_FRAME_MAX,
    VERSION,
    Frame,
    FrameReader,
    Kind,
    Ticks,
    WireBroken,
    cut_ticks,
    pack,
    pack_json,
    pack_ticks,
    read_json,
    read_ticks,
)

INTS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
for kind, values in ((int, INTS), (str, TEXTS), (Decimal, DECIMALS)):
    st.register_type_strategy(kind, values)


def over_the_wire(content: Any) -> Any:
    [frame] = FrameReader().read(pack_json(Kind.STATE, 1, content))
    return read_json(frame.payload)


@given(st.one_of(*(st.from_type(kind) for kind in get_args(Action))), INTS)
def test_every_request_arrives_as_it_was(action: Action, deadline_ns: int) -> None:
    written = over_the_wire(messages.write_action(action, deadline_ns))
    assert messages.read_action(written) == (deadline_ns, action)


@given(st.one_of(*(st.from_type(kind) for kind in get_args(SendResult))))
def test_every_answer_arrives_as_it_was(result: SendResult) -> None:
    assert messages.read_result(over_the_wire(messages.write_result(result))) == result


@given(
    st.builds(
        State,
        at_ns=INTS,
        market=INTS,
        account=st.none() | st.from_type(AccountState),
        positions=st.none() | st.lists(st.from_type(Position), max_size=3),
        orders=st.none() | st.lists(st.from_type(PendingOrder), max_size=3),
        quotes=st.lists(st.from_type(Quote), max_size=3),
        rules=st.dictionaries(TEXTS, st.none() | st.from_type(Instrument), max_size=3),
    )
)
def test_every_state_arrives_as_it_was(state: State) -> None:
    assert messages.read_state(over_the_wire(messages.write_state(state))) == state


@given(st.from_type(Deal), st.from_type(Bar))
def test_every_deal_and_bar_arrives_as_it_was(deal: Deal, bar: Bar) -> None:
    assert messages.read_deal(over_the_wire(messages.write_deal(deal))) == deal
    assert messages.read_bar(over_the_wire(messages.write_bar(bar))) == bar


def test_an_opening_arrives_as_it_was() -> None:
    mark = FeedMark("EURUSD", 5, ((1, 2), (3, 4)))
    opening = Opening("id", "paper", 1, "Paper", "C:\\x", (("EURUSD", 5),), ("EURUSD",), (mark,))
    assert messages.read_opening(over_the_wire(messages.write_opening(opening))) == opening


@given(st.lists(st.tuples(INTS, INTS, INTS), max_size=50), TEXTS, INTS)
def test_ticks_arrive_as_they_were(rows: list[tuple[int, int, int]], symbol: str, seq: int) -> None:
    columns = TickColumns(*([row[place] for row in rows] for place in range(3)))
    [frame] = FrameReader().read(pack_ticks(Kind.TICKS, 9, Ticks(symbol, seq, columns)))
    found = read_ticks(frame.payload)
    assert (found.symbol, found.first_seq, frame.number) == (symbol, seq, 9)
    assert list(zip(*_columns(found), strict=True)) == rows


def _columns(ticks: Ticks) -> tuple[list[int], ...]:
    return tuple(list(each) for each in (ticks.columns.ts_ns, ticks.columns.bid, ticks.columns.ask))


@given(st.lists(st.tuples(st.sampled_from(list(Kind)), st.binary(max_size=40))), st.data())
def test_frames_are_cut_the_same_however_the_bytes_come(
    sent: list[tuple[Kind, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(pack(kind, number, body) for number, (kind, body) in enumerate(sent))
    reader, found = FrameReader(), list[Frame]()
    while stream:
        size = data.draw(st.integers(1, 30))
        found += reader.read(stream[:size])
        stream = stream[size:]
    assert found == [Frame(kind, number, body) for number, (kind, body) in enumerate(sent)]


def test_many_ticks_are_cut_into_frames_that_go_on_counting() -> None:
    column = list(range(TICKS_A_FRAME_MAX + 5))
    parts = list(cut_ticks(Ticks("EURUSD", 100, TickColumns(column, column, column))))
    assert [part.first_seq for part in parts] == [100, 100 + TICKS_A_FRAME_MAX]
    assert [ns for part in parts for ns in part.columns.ts_ns] == column


@pytest.mark.parametrize(
    "broken",
    [
        pack(Kind.STATE).replace(bytes([VERSION]), bytes([VERSION + 1]), 1),
        b"\xff\xff\xff\x7f" + pack(Kind.STATE)[4:],
        pack(Kind.STATE)[:5] + b"\xee" + pack(Kind.STATE)[6:],
    ],
    ids=["another version", "too large", "unknown kind"],
)
def test_a_strange_header_breaks_the_wire(broken: bytes) -> None:
    with pytest.raises(WireBroken):
        FrameReader().read(broken)


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (messages.read_action, [0, "order", [1, 2]]),
        (messages.read_action, [0, "bribe", []]),
        (messages.read_action, {"a": 1}),
        (messages.read_result, ["done", 1]),
        (messages.read_result, []),
        (messages.read_state, {"at": 1}),
        (messages.read_state, {"at": 1, "m": 1, "r": {"X": [1]}}),
        (messages.read_opening, ["only"]),
    ],
)
def test_content_of_another_shape_breaks_the_wire(read: Any, content: Any) -> None:
    with pytest.raises(WireBroken):
        read(content)


@pytest.mark.parametrize("payload", [b"", b"\x00" * 5, b"\x01\x10\x00\x00\x00" + b"\x00" * 9])
def test_cut_ticks_break_the_wire(payload: bytes) -> None:
    with pytest.raises(WireBroken):
        read_ticks(payload)


def test_what_is_too_large_is_not_written() -> None:
    with pytest.raises(WireBroken, match="ask for less"):
        pack(Kind.ANSWER, 1, bytes(PAYLOAD_BYTES_MAX + 1))
    with pytest.raises(WireBroken):
        pack_ticks(Kind.TICKS, 0, Ticks("EURUSD", 0, TickColumns([1, 2], [1], [1])))


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_a_broken_wire(data: bytes) -> None:
    try:
        frames = FrameReader().read(data)
    except WireBroken:
        return
    assert all(frame.kind in Kind for frame in frames)
