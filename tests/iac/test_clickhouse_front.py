"""The ClickHouse front answers clickhouse-connect as a ClickHouse server does."""

import base64
import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import clickhouse_connect
import numpy as np
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from iac.local.testing import ClickHouseServer, start_clickhouse

COLUMNS = {
    "tenant_id": "UUID",
    "at": "DateTime64(9, 'UTC')",
    "second": "DateTime('UTC')",
    "day": "Date",
    "small": "Int32",
    "big": "Int64",
    "unsigned": "UInt64",
    "kind": "LowCardinality(String)",
    "note": "String",
    "price": "Float64",
    "maybe": "Nullable(Float64)",
    "maybe_note": "Nullable(String)",
    "flag": "Bool",
    "fixed": "Decimal(18, 5)",
    "tags": "Array(String)",
    "features": "Array(Float64)",
}
BASE = datetime(2014, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    running = start_clickhouse(tmp_path_factory.mktemp("clickhouse"))
    yield running
    running.stop()


def connect(server: ClickHouseServer, **changes: Any) -> Any:
    arguments = {
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "password": server.password,
        "database": server.database,
        "tz_mode": "aware",
        **changes,
    }
    return clickhouse_connect.get_client(**arguments)


@pytest.fixture
def client(server: ClickHouseServer) -> Iterator[Any]:
    opened = connect(server)
    yield opened
    opened.close()


@pytest.fixture
def table(client: Any) -> Iterator[str]:
    name = f"t_{uuid4().hex}"
    columns = ", ".join(f"{column} {kind}" for column, kind in COLUMNS.items())
    client.command(
        f"CREATE TABLE {name} ({columns}) ENGINE = ReplacingMergeTree ORDER BY (tenant_id, big)"
    )
    yield name
    client.command(f"DROP TABLE {name}")


def make_row(tenant: UUID, number: int) -> list[Any]:
    return [
        tenant,
        BASE + timedelta(seconds=number),
        BASE.replace(microsecond=0),
        date(2014, 5, 6),
        number,
        number * 10**12,
        2**63 + number,
        f"kind-{number % 3}",
        "it's\ta 'note'\n\\ 💹",
        1.38471 + number,
        None if number % 2 else 0.5,
        None if number % 2 else "",
        bool(number % 2),
        Decimal("1.38471"),
        ["a", "b'c"],
        [0.1, float(number)],
    ]


def test_rows_of_every_type_come_back_as_they_were_inserted(client: Any, table: str) -> None:
    rows = [make_row(uuid4(), number) for number in range(50)]
    client.insert(table, rows, column_names=list(COLUMNS))
    found = client.query(f"SELECT {', '.join(COLUMNS)} FROM {table} ORDER BY big").result_rows
    assert [list(row) for row in found] == rows


def test_numpy_columns_keep_their_nanoseconds(client: Any, table: str) -> None:
    count = 100_000
    ns = 1_399_360_089_123_456_789 + np.arange(count, dtype=np.int64) * 1_000_003
    client.insert(
        table,
        [
            [UUID(int=7)] * count,
            ns.tolist(),  # the client takes plain ints for nanoseconds, and numpy for the rest
            np.arange(count, dtype=np.int64),
            np.arange(count, dtype=np.int32),
            np.linspace(1.3, 1.4, count),
        ],
        column_names=["tenant_id", "at", "big", "small", "price"],
        column_oriented=True,
    )
    summary = client.query(
        f"SELECT count(), sum(toUnixTimestamp64Nano(at) % 1000003), max(at), sum(small), max(price)"
        f" FROM {table} FINAL"
    ).result_rows[0]
    assert summary[0] == count
    assert summary[1] == int((ns % 1_000_003).sum())
    assert summary[3] == count * (count - 1) // 2
    assert summary[4] == 1.4
    read = client.query_np(f"SELECT at, price FROM {table} ORDER BY big LIMIT 3")
    assert read["at"].astype("int64").tolist() == ns[:3].tolist()


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_insert_bodies_may_be_compressed(server: ClickHouseServer, compress: Any) -> None:
    client = connect(server, compress=compress)
    client.command("CREATE TABLE squeezed (a Int64, b String) ENGINE = Memory")
    try:
        client.insert("squeezed", [[n, "x" * 100] for n in range(5_000)], column_names=["a", "b"])
        found = client.query("SELECT count(), sum(a) FROM squeezed").result_rows
        assert found == [(5_000, 12_497_500)]
    finally:
        client.command("DROP TABLE squeezed")


def test_a_query_is_bound_to_its_parameters(client: Any, table: str) -> None:
    tenant = uuid4()
    rows = [make_row(tenant, number) for number in range(5)]
    client.insert(table, rows, column_names=list(COLUMNS))
    client.insert(table, [make_row(uuid4(), 1)], column_names=list(COLUMNS))
    found = client.query(
        "SELECT small FROM {table:Identifier} FINAL WHERE tenant_id = {tenant:UUID}"
        " AND note = {note:String} AND at >= {since:DateTime64(9, 'UTC')}"
        " AND small IN {numbers:Array(Int32)} ORDER BY small LIMIT {limit:UInt32}",
        parameters={
            "table": table,
            "tenant": tenant,
            "note": rows[0][8],
            "since": BASE + timedelta(seconds=1),
            "numbers": [0, 2, 3, 4],
            "limit": 2,
        },
    )
    assert found.result_rows == [(2,), (3,)]


def test_a_parameter_is_never_sql(client: Any) -> None:
    hostile = "x'; DROP DATABASE sinyal; --\\"
    assert client.query("SELECT {p:String}", parameters={"p": hostile}).result_rows == [(hostile,)]


def test_many_parameters_go_in_a_form(client: Any) -> None:
    numbers = list(range(20_000))
    found = client.query("SELECT length({n:Array(Int64)})", parameters={"n": numbers})
    assert found.result_rows == [(20_000,)]


def test_settings_hold_for_one_query_only(client: Any) -> None:
    query = "SELECT getSetting('max_block_size')"
    usual = client.query(query).result_rows[0][0]
    assert client.query(query, settings={"max_block_size": 77}).result_rows == [(77,)]
    assert client.query(query).result_rows == [(usual,)]


def test_a_session_keeps_what_it_set_and_others_do_not_see_it(server: ClickHouseServer) -> None:
    first, second = connect(server), connect(server)
    first.command("SET max_block_size = 99")
    query = "SELECT getSetting('max_block_size')"
    assert first.query(query).result_rows == [(99,)]
    assert second.query(query).result_rows != [(99,)]


def test_replacing_merge_tree_read_with_final_shows_one_row_a_key(client: Any, table: str) -> None:
    row = make_row(UUID(int=1), 1)
    for _ in range(3):
        client.insert(table, [row], column_names=list(COLUMNS))
    assert client.query(f"SELECT count() FROM {table} FINAL").result_rows == [(1,)]


def test_raw_formats_and_frames_without_rows_work(client: Any, table: str) -> None:
    client.raw_insert(
        table,
        ["tenant_id", "small"],
        f'{{"tenant_id": "{uuid4()}", "small": 5}}\n',
        fmt="JSONEachRow",
    )
    assert client.raw_query(f"SELECT small FROM {table}", fmt="JSONEachRow") == b'{"small":5}\n'
    empty = client.query(f"SELECT small, note FROM {table} WHERE small = 6")
    assert empty.result_rows == []
    assert client.query(f"SELECT small, note FROM {table} LIMIT 0").column_names == (
        "small",
        "note",
    )
    assert client.command(f"SELECT count() FROM {table}") == 1


def test_rows_written_into_the_statement_are_inserted(client: Any, table: str) -> None:
    for note in ("plain", "FORMAT Native\n", "a (b) FORMAT JSONEachRow"):
        client.command(
            f"INSERT INTO sinyal.{table} (tenant_id, small, note) VALUES"
            " ({id:UUID}, 1, {note:String})",
            parameters={"id": uuid4(), "note": note},
        )
    client.command(f"INSERT INTO {table} (small, big) SELECT number, number FROM numbers(5)")
    assert client.command(f"SELECT count() FROM {table}") == 8


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT * FROM absent_table", 60),
        ("SELECT absent_column FROM system.one", 47),
        ("SELEC 1", 62),
        ("SELECT 1; SELECT 2", 62),
        ("SELECT * FROM absent_database.t", 81),
        ("SELECT throwIf(1)", 395),
    ],
)
def test_a_failing_query_raises_with_clickhouses_code(client: Any, query: str, code: int) -> None:
    with pytest.raises(DatabaseError) as refused:
        client.query(query)
    assert refused.value.code == code
    assert client.query("SELECT 1").result_rows == [(1,)]


def test_a_failing_insert_leaves_no_rows(client: Any, table: str) -> None:
    with pytest.raises(DatabaseError):
        client.raw_insert(table, ["tenant_id"], b"\x01\xff\xff\xff", fmt="Native")
    assert client.query(f"SELECT count() FROM {table}").result_rows == [(0,)]
    client.insert(table, [make_row(uuid4(), 1)], column_names=list(COLUMNS))
    assert client.query(f"SELECT count() FROM {table}").result_rows == [(1,)]


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"username": "default"}])
def test_a_wrong_password_or_user_is_refused(
    server: ClickHouseServer, changes: dict[str, str]
) -> None:
    with pytest.raises(DatabaseError, match="516"):
        connect(server, **changes)


def test_an_unknown_database_is_refused(server: ClickHouseServer) -> None:
    with pytest.raises(DatabaseError, match="81"):
        connect(server, database="absent")


def test_concurrent_clients_lose_nothing(server: ClickHouseServer) -> None:
    owner = connect(server)
    owner.command("CREATE TABLE shared (worker Int32, n Int64) ENGINE = MergeTree ORDER BY n")
    started = threading.Barrier(12)

    def work(worker: int) -> int:
        client = connect(server)
        started.wait()
        for batch in range(10):
            client.insert(
                "shared",
                [[worker, batch * 100 + n] for n in range(100)],
                column_names=["worker", "n"],
            )
            client.query("SELECT count() FROM shared WHERE worker = {w:Int32}", {"w": worker})
        client.close()
        return worker

    with ThreadPoolExecutor(max_workers=12) as pool:
        list(pool.map(work, range(12)))
    found = owner.query("SELECT worker, count(), uniqExact(n) FROM shared GROUP BY worker")
    assert sorted(found.result_rows) == [(worker, 1000, 1000) for worker in range(12)]
    owner.command("DROP TABLE shared")


def send(
    server: ClickHouseServer, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def sign_in(server: ClickHouseServer) -> dict[str, str]:
    pair = f"{server.username}:{server.password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def test_errors_carry_a_status_and_the_exception_code(server: ClickHouseServer) -> None:
    status, headers, body = send(server, "POST", "/", b"SELECT * FROM no", **sign_in(server))
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (404, "60")
    assert body.startswith(b"Code: 60. DB::Exception: ")
    status, headers, _ = send(server, "POST", "/", b"SELECT 1")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (403, "516")


def test_credentials_may_come_in_clickhouses_own_headers(server: ClickHouseServer) -> None:
    keys = {"X-ClickHouse-User": server.username, "X-ClickHouse-Key": server.password}
    assert send(server, "GET", "/?query=SELECT%201%2B1", **keys)[::2] == (200, b"2\n")
    wrong = {**keys, "X-ClickHouse-Key": ""}
    assert send(server, "GET", "/?query=SELECT%201", **wrong)[0] == 403


def test_a_get_request_changes_nothing(server: ClickHouseServer) -> None:
    path = "/?query=CREATE%20TABLE%20by_get%20(a%20Int8)%20ENGINE%3DMemory"
    status, headers, _ = send(server, "GET", path, **sign_in(server))
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "164")


def test_a_connection_serves_many_requests(server: ClickHouseServer) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    connection.connect()
    socket_before = connection.sock
    for number in range(5):
        bodies = iter([b"SELECT ", str(number).encode()])
        connection.request("POST", "/", bodies, sign_in(server), encode_chunked=True)
        assert connection.getresponse().read() == f"{number}\n".encode()
    assert connection.sock is socket_before
    connection.close()


def test_garbage_gets_a_400_and_the_front_lives_on(server: ClickHouseServer) -> None:
    headers = {**sign_in(server), "Transfer-Encoding": "chunked"}
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    connection.putrequest("POST", "/")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(b"zz\r\n")
    assert connection.getresponse().status == 400
    connection.close()
    status, _, _ = send(
        server, "POST", "/", b"\x00", **sign_in(server), **{"Content-Encoding": "lz4"}
    )
    assert status in (400, 500)
    assert send(server, "GET", "/ping")[::2] == (200, b"Ok.\n")
