"""Tick batches reach ClickHouse once, whatever the queue does."""

import json
from typing import Any
from uuid import UUID

import pytest

from contracts.data_bridge import TickBatch
from contracts.ids import NIL, uuid7
from contracts.tick_packing import pack_ticks
from functions.data_bridge import api, consumer
from kit.analytics import Analytics
from tests.support.builders import api_event, principal, raw_record, read_answer, sqs_record, wrap

START_NS = 1_400_025_600_000_000_000  # 2014-05-14T00:00:00Z


@pytest.fixture
def analytics(clickhouse: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Analytics:
    opened = Analytics(clickhouse)
    monkeypatch.setattr(consumer, "_analytics", lambda: opened)
    monkeypatch.setattr(api, "_analytics", lambda: opened)
    return opened


def batch(stream: str, sequence: int = 0, ticks: int = 3, symbol: str = "EURUSD") -> TickBatch:
    first = sequence * ticks
    return TickBatch(
        stream=stream,
        sequence=sequence,
        symbol=symbol,
        digits=5,
        first_index=first,
        ts_ns=tuple(START_NS + (first + i) * 20_000_000_000 for i in range(ticks)),
        bid=tuple(137_000 + first + i for i in range(ticks)),
        ask=tuple(137_012 + first + i for i in range(ticks)),
        read=ticks + 1,
        rejected={"crossed": 1},
    )


def packed(message: TickBatch) -> TickBatch:
    """The same batch as an edge packs it."""
    text = pack_ticks(*message.columns())
    return message.model_copy(update={"ts_ns": (), "bid": (), "ask": (), "packed": text})


def direct_record(message: TickBatch) -> dict[str, Any]:
    """As the edge sends it: the envelope itself, with its type."""
    return raw_record(json.dumps({"type": "TickBatch", **json.loads(wrap(message).to_json())}))


def count(analytics: Analytics, stream: str) -> tuple[int, int, int]:
    row = analytics.query(
        NIL,
        "SELECT (SELECT count() FROM ticks FINAL WHERE stream = {s:String}) AS ticks,"
        " sum(read) AS read, sum(stored) AS stored FROM tick_batches FINAL"
        " WHERE tenant_id = {tenant_id:UUID} AND stream = {s:String}",
        {"s": stream},
    )[0]
    return row["ticks"], row["read"], row["stored"]


def test_batches_are_stored_with_their_rejections(analytics: Analytics) -> None:
    stream = f"test-{uuid7()}"
    records = [direct_record(batch(stream, n)) for n in range(4)]
    assert consumer.handler({"Records": records}, None) == {"batchItemFailures": []}
    assert count(analytics, stream) == (12, 16, 12)


def test_packed_batches_and_batches_in_columns_are_stored_the_same(analytics: Analytics) -> None:
    streams = [f"test-{uuid7()}" for _ in range(2)]
    records = [direct_record(batch(streams[0], n)) for n in range(3)]
    records += [direct_record(packed(batch(streams[1], n))) for n in range(3)]
    assert consumer.handler({"Records": records}, None) == {"batchItemFailures": []}
    stored = [
        analytics.query(
            NIL,
            "SELECT tick_no, ts, bid, ask, digits FROM ticks FINAL"
            " WHERE tenant_id = {tenant_id:UUID} AND stream = {s:String} ORDER BY tick_no",
            {"s": stream},
        )
        for stream in streams
    ]
    assert stored[0] == stored[1]
    assert len(stored[0]) == 9
    assert [count(analytics, stream) for stream in streams] == [(9, 12, 9)] * 2


@pytest.mark.parametrize("spoilt", ["%%%", pack_ticks([1], [1], [2]), "A" * 80_000])
def test_a_batch_that_cannot_be_unpacked_fails_alone_and_is_kept(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch, spoilt: str
) -> None:
    monkeypatch.setattr("kit.consumer._return_at_once", lambda _record: None)
    stream = f"test-{uuid7()}"
    bad = direct_record(packed(batch(stream, 0)).model_copy(update={"packed": spoilt}))
    records = [bad, direct_record(packed(batch(stream, 1)))]
    for _ in range(2):  # it comes again until the queue moves it to the dead-letter queue
        answer = consumer.handler({"Records": records}, None)
        assert answer == {"batchItemFailures": [{"itemIdentifier": bad["messageId"]}]}
    assert count(analytics, stream) == (3, 4, 3)


@pytest.mark.parametrize("pack", [False, True])
def test_redelivery_of_a_batch_stores_no_tick_twice(analytics: Analytics, pack: bool) -> None:
    stream = f"test-{uuid7()}"
    record = direct_record(packed(batch(stream)) if pack else batch(stream))
    for _ in range(3):
        consumer.handler({"Records": [record]}, None)
    assert count(analytics, stream) == (3, 4, 3)


def test_a_batch_whose_columns_disagree_fails_alone(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.consumer._return_at_once", lambda _record: None)
    stream = f"test-{uuid7()}"
    bad = direct_record(batch(stream, 0))
    bad["body"] = bad["body"].replace('"read": 4', '"read": 5')
    good = direct_record(batch(stream, 1))
    answer = consumer.handler({"Records": [bad, good]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": bad["messageId"]}]}
    assert count(analytics, stream) == (3, 4, 3)


def test_a_message_of_another_kind_is_refused(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contracts.database_service import RelayOutbox

    monkeypatch.setattr("kit.consumer._return_at_once", lambda _record: None)
    record = sqs_record(wrap(RelayOutbox()))
    answer = consumer.handler({"Records": [record]}, None)
    assert len(answer["batchItemFailures"]) == 1


def test_no_tenant_reads_rows_through_another_tenants_key(
    analytics: Analytics, tenant: UUID
) -> None:
    stream = f"test-{uuid7()}"
    consumer.handler({"Records": [direct_record(batch(stream))]}, None)
    sql = (
        "SELECT count() AS n FROM ticks WHERE tenant_id = {tenant_id:UUID} AND stream = {s:String}"
    )
    assert analytics.query(tenant, sql, {"s": stream}) == [{"n": 0}]
    with pytest.raises(ValueError, match="bound to"):
        analytics.query(tenant, "SELECT count() FROM ticks")


def ask(path: str, tenant: UUID, **query: str) -> tuple[int, Any]:
    event = api_event("GET", path, principal=principal(tenant), query=query)
    return read_answer(api.handler(event, None))


def test_candles_are_open_high_low_close_of_stored_ticks(
    analytics: Analytics, tenant: UUID
) -> None:
    symbol = f"X{uuid7().hex[-12:]}"
    record = direct_record(batch(f"test-{uuid7()}", ticks=6, symbol=symbol))
    consumer.handler({"Records": [record, record]}, None)
    status, body = ask(
        "/v1/market/candles",
        tenant,
        symbol=symbol,
        timeframe="M1",
        **{"from": "2014-05-14T00:00:00Z", "to": "2014-05-14T01:00:00Z"},
    )
    assert status == 200, body
    assert [(c["open"], c["high"], c["low"], c["close"], c["ticks"]) for c in body["items"]] == [
        (137_000, 137_002, 137_000, 137_002, 3),
        (137_003, 137_005, 137_003, 137_005, 3),
    ]


def test_an_unknown_symbol_is_not_found(analytics: Analytics, tenant: UUID) -> None:
    status, body = ask(
        "/v1/market/ticks",
        tenant,
        symbol="NOPE",
        **{"from": "2014-05-14T00:00:00Z", "to": "2014-05-14T01:00:00Z"},
    )
    assert (status, body["code"]) == (404, "symbol_unknown")


def test_an_empty_or_endless_range_is_refused(analytics: Analytics, tenant: UUID) -> None:
    for start, end in (("2014-05-14", "2014-05-14"), ("2000-01-01", "2014-05-14")):
        status, body = ask(
            "/v1/market/candles",
            tenant,
            symbol="EURUSD",
            timeframe="M1",
            **{"from": f"{start}T00:00:00Z", "to": f"{end}T00:00:00Z"},
        )
        assert (status, body["code"]) == (422, "range_invalid")
