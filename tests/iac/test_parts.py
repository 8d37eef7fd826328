"""The real servers of the stack: they start empty, ask for a password and leave nothing behind."""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from iac.local import postgres as postgres_part
from iac.local.aws import make_client
from iac.local.process import PartFailed
from iac.local.testing import (
    AwsServer,
    PostgresServer,
    RedisServer,
    start_ministack,
    start_postgres,
    start_redis,
)

PROBE = """
import os, sys
def handler(event, context):
    print("probed", file=sys.stderr)
    return {"environment": dict(os.environ), "path": sys.path, "pid": os.getpid()}
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = start_postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = start_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    server = start_ministack(tmp_path_factory.mktemp("aws"))
    yield server
    server.stop()


def read_value(connection: psycopg.Connection[tuple[str]], query: str) -> str:
    row = connection.execute(query).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return str(row[0])


def test_postgres_is_version_18_with_vectors_and_room_for_many(database: PostgresServer) -> None:
    with psycopg.connect(database.dsn) as connection:
        assert read_value(connection, "SHOW server_version").startswith("18.")
        assert read_value(connection, "SHOW max_connections") == "300"
        assert read_value(connection, "SHOW timezone") == "UTC"
        assert read_value(connection, "SELECT current_database()") == "sinyal"
        connection.execute("CREATE EXTENSION vector")
        assert read_value(connection, "SELECT '[1,2]'::vector <-> '[1,4]'::vector") == "2.0"


def test_postgres_takes_connections_over_tcp_with_a_password_only(database: PostgresServer) -> None:
    with psycopg.connect(database.dsn) as connection:
        query = "SELECT DISTINCT auth_method FROM pg_hba_file_rules"
        assert connection.execute(query).fetchall() == [("scram-sha-256",)]
        assert read_value(connection, "SHOW unix_socket_directories") == ""
        assert read_value(connection, "SHOW listen_addresses") == "127.0.0.1"
    wrong = database.dsn.replace(database.password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_postgres_never_runs_as_root(database: PostgresServer) -> None:
    assert Path(f"/proc/{database.part.pid}").stat().st_uid != 0


def test_postgres_is_copied_when_its_user_cannot_reach_the_folder(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    server = start_postgres(hidden)
    try:
        with psycopg.connect(server.dsn) as connection:
            assert read_value(connection, "SELECT 1") == "1"
        assert server.is_temporary == (os.geteuid() == 0)
    finally:
        server.stop()
    assert not server.is_temporary or not server.home.exists()


def test_a_second_start_in_the_same_folder_is_empty(tmp_path: Path) -> None:
    for _ in range(2):
        server = start_postgres(tmp_path)
        try:
            with psycopg.connect(server.dsn) as connection:
                connection.execute("CREATE TABLE made (a int)")
        finally:
            server.stop()


def test_a_failing_initdb_is_named_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_part, "SUPERUSER", "pg_forbidden")
    with pytest.raises(PartFailed, match="postgres-initdb: failed") as failure:
        start_postgres(tmp_path)
    assert failure.value.log_file == tmp_path / "logs" / "postgres-initdb.log"
    assert any("pg_" in line for line in failure.value.last_lines)


def test_redis_asks_for_its_password(cache: RedisServer) -> None:
    with redis.Redis.from_url(cache.url) as client:
        client.set("a", "1", ex=5)
        assert client.get("a") == b"1"
    with (
        redis.Redis(host=cache.host, port=cache.port) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_the_password_is_on_no_command_line(cache: RedisServer, database: PostgresServer) -> None:
    for server in (cache, database):
        assert server.password.encode() not in Path(f"/proc/{server.part.pid}/cmdline").read_bytes()
        assert server.password not in repr(server)


def test_a_function_sees_a_clean_environment(
    aws: AwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("probe.py", PROBE)
    client = make_client("lambda", aws.endpoint)
    client.create_function(
        FunctionName="probe",
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/probe",
        Handler="probe.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    answer = json.load(client.invoke(FunctionName="probe", Payload=b"{}")["Payload"])
    environment = answer["environment"]
    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint
    assert environment["AWS_REGION"] == "ap-southeast-3"
    assert not {"PYTHONPATH", "HTTP_PROXY", "HTTPS_PROXY", "PYTEST_CURRENT_TEST"} & set(environment)
    repository = Path(__file__).parents[2]
    assert str(repository) not in answer["path"]
    assert not any(str(repository / "functions") in entry for entry in answer["path"])


def test_lambda_workers_end_with_ministack(tmp_path: Path) -> None:
    server = start_ministack(tmp_path)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("probe.py", PROBE)
    client = make_client("lambda", server.endpoint)
    client.create_function(
        FunctionName="probe",
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/probe",
        Handler="probe.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    worker = json.load(client.invoke(FunctionName="probe", Payload=b"{}")["Payload"])["pid"]
    server.stop()
    assert not Path(f"/proc/{worker}").exists()
