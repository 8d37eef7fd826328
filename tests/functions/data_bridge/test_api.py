"""Market data over HTTP: every instant a client can write is answered, as documented."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.data_bridge import TickBatch
from contracts.ids import uuid7
from functions.data_bridge import api
from functions.data_bridge.store import TickStore
from kit.analytics import Analytics
from tests.support.builders import api_event, principal, read_answer

OPENED = datetime(2014, 5, 14, tzinfo=UTC)
NS = 10**9


@pytest.fixture
def analytics(clickhouse: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Analytics:
    opened = Analytics(clickhouse)
    monkeypatch.setattr(api, "_analytics", lambda: opened)
    return opened


@pytest.fixture
def symbol(analytics: Analytics) -> str:
    """A symbol with three ticks, a second apart."""
    name = f"Y{uuid7().hex[-12:]}"
    start = int(OPENED.timestamp()) * NS
    batch = TickBatch(
        stream=f"test-{name}",
        sequence=0,
        symbol=name,
        digits=5,
        first_index=0,
        ts_ns=tuple(start + n * NS for n in range(3)),
        bid=(137_000, 137_002, 137_001),
        ask=(137_010, 137_012, 137_011),
        read=3,
        rejected={},
    )
    TickStore(analytics).add_batches([batch])
    return name


def ask(path: str, tenant: UUID, **query: str) -> tuple[int, Any]:
    event = api_event("GET", f"/v1/market/{path}", principal=principal(tenant), query=query)
    return read_answer(api.handler(event, None))


def test_symbols_ticks_and_candles_show_exactly_what_is_documented(
    symbol: str, tenant: UUID
) -> None:
    between = {"symbol": symbol, "from": "2014-05-14T00:00:00Z", "to": "2014-05-14T00:01:00Z"}
    [known] = [i for i in ask("symbols", tenant)[1]["items"] if i["symbol"] == symbol]
    assert known == {
        "symbol": symbol,
        "digits": 5,
        "first": "2014-05-14T00:00:00Z",
        "last": "2014-05-14T00:00:02Z",
        "ticks": 3,
    }
    status, ticks = ask("ticks", tenant, **between, limit="1")
    assert (status, ticks) == (
        200,
        {"items": [{"ts": "2014-05-14T00:00:00Z", "bid": 137_000, "ask": 137_010}]},
    )
    status, candles = ask("candles", tenant, **between, timeframe="M1")
    assert (status, candles["items"]) == (
        200,
        [
            {
                "time": "2014-05-14T00:00:00Z",
                "open": 137_000,
                "high": 137_002,
                "low": 137_000,
                "close": 137_001,
                "ticks": 3,
                "spread": 10,
            }
        ],
    )


@pytest.mark.parametrize("offset", ["+07:00", "-11:30"])
def test_an_instant_means_the_same_in_every_offset(symbol: str, tenant: UUID, offset: str) -> None:
    zone = datetime.strptime(offset, "%z").tzinfo
    first, end = (OPENED.astimezone(zone) + timedelta(seconds=n) for n in (1, 3))
    query = {"symbol": symbol, "from": first.isoformat(), "to": end.isoformat()}
    status, body = ask("ticks", tenant, **query)
    assert (status, [tick["bid"] for tick in body["items"]]) == (200, [137_002, 137_001])


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("1970-01-01T00:00:00Z", "1970-01-01T12:00:00Z"),
        ("2261-12-30T12:00:00Z", "2261-12-31T00:00:00Z"),
        ("2014-05-14T07:00:00+07:00", "2014-05-14T07:00:00.000000001+07:00"),
        ("1970-01-01T23:59:00+23:59", "1970-01-01T01:00:00Z"),
    ],
)
def test_the_ends_of_what_can_be_asked_are_answered(
    symbol: str, tenant: UUID, start: str, end: str
) -> None:
    query = {"symbol": symbol, "from": start, "to": end}
    assert ask("ticks", tenant, **query)[0] in {200, 422}
    assert ask("candles", tenant, **query, timeframe="D1")[0] in {200, 422}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
        ("1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"),
        ("2261-12-31T00:00:00Z", "2261-12-31T00:00:01Z"),
        ("9999-12-31T00:00:00Z", "9999-12-31T00:00:01Z"),
        ("2014-05-14T00:00:00", "2014-05-14T00:00:01"),
        ("99999999999999999999", "1"),
        ("-1", "1"),
        ("nan", "inf"),
        ("\x00", "\x00"),
    ],
)
def test_instants_that_the_store_cannot_hold_are_told_as_invalid(
    symbol: str, tenant: UUID, start: str, end: str
) -> None:
    for path, more in (("ticks", {}), ("candles", {"timeframe": "D1"})):
        status, body = ask(path, tenant, symbol=symbol, **{"from": start, "to": end}, **more)
        assert (status, body["code"]) == (422, "invalid_value")


@pytest.mark.parametrize("name", ["", "EUR\n", "EURUSD\x00", "x" * 30, "'; DROP TABLE ticks", "é"])
def test_a_symbol_of_another_shape_is_told_as_invalid(
    analytics: Analytics, tenant: UUID, name: str
) -> None:
    between = {"from": "2014-05-14T00:00:00Z", "to": "2014-05-14T00:01:00Z"}
    assert ask("ticks", tenant, symbol=name, **between)[0] == 422
