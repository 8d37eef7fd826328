"""What a tenant took is counted once, by the minute, under ids that a second sending repeats."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from contracts.data_bridge import StreamUsageRecorded
from contracts.envelope import Envelope
from contracts.registry import parse_envelope
from edge_bridge.stream.usage import WINDOWS_KEPT, Tally, UsageMeter
from tests.edge_bridge.stream.stream_kit import Stream, run_stream

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
TENANT = uuid4()


def tally_of(tenant_id: UUID, ticks: int, size: int) -> Tally:
    tally = Tally()
    tally.add(tenant_id, size, "ticks", ticks)
    return tally


def read(envelope: Envelope) -> StreamUsageRecorded:
    assert isinstance(envelope.data, StreamUsageRecorded)
    return envelope.data


def test_a_minute_is_told_once_it_is_over() -> None:
    meter = UsageMeter("edge-1", START)
    meter.count_streams(TENANT, 2, START)
    meter.count(tally_of(TENANT, 5, 700), START + timedelta(seconds=59))
    assert meter.take(START + timedelta(seconds=59.9)) == []
    (envelope,) = meter.take(START + timedelta(seconds=60))
    record = read(envelope)
    assert (record.ticks, record.bytes, record.streams_max) == (5, 700, 2)
    assert (record.window_start, record.window_s, record.edge) == (START, 60, "edge-1")
    assert envelope.meta.tenant_id == TENANT
    assert meter.take(START + timedelta(seconds=60)) == []


def test_a_second_run_over_the_same_minute_tells_the_same_id() -> None:
    def take_id(edge: str, tenant_id: UUID, minute: int) -> UUID:
        at = START + timedelta(minutes=minute)
        meter = UsageMeter(edge, at)
        meter.count(tally_of(tenant_id, 1, 1), at)
        return meter.take(at + timedelta(minutes=1))[0].meta.event_id

    assert take_id("edge-1", TENANT, 0) == take_id("edge-1", TENANT, 0)
    others = [take_id("edge-2", TENANT, 0), take_id("edge-1", uuid4(), 0)]
    others.append(take_id("edge-1", TENANT, 1))
    assert len({take_id("edge-1", TENANT, 0), *others}) == 4


def test_connections_that_stay_open_count_in_every_minute() -> None:
    meter = UsageMeter("edge-1", START)
    meter.count_streams(TENANT, 3, START)
    meter.count_streams(TENANT, 1, START + timedelta(seconds=70))
    meter.count_streams(TENANT, 0, START + timedelta(seconds=130))
    records = [read(envelope) for envelope in meter.take(START + timedelta(minutes=4))]
    assert [record.streams_max for record in records] == [3, 3, 1]


def test_at_the_end_the_open_minute_is_told_too() -> None:
    meter = UsageMeter("edge-1", START)
    meter.count(tally_of(TENANT, 5, 700), START + timedelta(seconds=30))
    (envelope,) = meter.take(START + timedelta(seconds=31), final=True)
    assert read(envelope).ticks == 5
    assert meter.take(START + timedelta(seconds=32), final=True) == []


def test_a_clock_that_jumps_makes_no_flood_of_records() -> None:
    meter = UsageMeter("edge-1", START)
    meter.count_streams(TENANT, 1, START)
    assert len(meter.take(START + timedelta(days=30))) == WINDOWS_KEPT + 1
    assert meter.take(START) == []  # and backwards it counts on in the newest minute


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 9), st.integers(0, 99))))
def test_nothing_is_counted_twice_or_lost(steps: list[tuple[int, int, int]]) -> None:
    meter, taken = UsageMeter("edge-1", START), []
    for second, ticks, size in sorted(steps):
        at = START + timedelta(seconds=second)
        meter.count(tally_of(TENANT, ticks, size), at)
        if ticks % 2:
            taken += meter.take(at)
    taken += meter.take(START + timedelta(minutes=10))
    assert sum(read(envelope).ticks for envelope in taken) == sum(step[1] for step in steps)
    assert sum(read(envelope).bytes for envelope in taken) == sum(step[2] for step in steps)
    assert len({envelope.meta.event_id for envelope in taken}) == len(taken)


def take_usage(stream: Stream) -> list[StreamUsageRecorded]:
    later = stream.clock.now() + timedelta(minutes=2)
    return [read(envelope) for envelope in stream.hub.take_usage(later)]


def test_ticks_that_reached_a_client_are_its_tenants_and_nothing_else_is() -> None:
    with run_stream() as stream:
        stream.tick(1)
        person, quiet = stream.newcomer(), stream.newcomer()
        with stream.enter(person) as one, stream.enter(person) as two, stream.enter(quiet) as three:
            one.follow()
            two.follow()
            three.follow("orders")
            stream.tick(2, count=30)
            assert len(one.expect("delta")["items"]) == 30
            assert len(two.expect("delta")["items"]) == 30
            stream.hub.publish_private(person.tenant_id, "orders", "o", {})
            assert one.is_quiet()
            envelopes = stream.hub.take_usage(stream.clock.now() + timedelta(minutes=2))
        taken: dict[UUID | None, list[int]] = {}
        for envelope in envelopes:
            record = read(envelope)
            total = taken.setdefault(envelope.meta.tenant_id, [0, 0])
            total[0] += record.ticks
            total[1] = max(total[1], record.streams_max)
        assert taken == {person.tenant_id: [60, 2], quiet.tenant_id: [0, 1]}
        assert envelopes == [
            parse_envelope("StreamUsageRecorded", json.loads(each.to_json())) for each in envelopes
        ]
