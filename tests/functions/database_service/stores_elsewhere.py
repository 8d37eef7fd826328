"""ClickHouse, Redis and S3 as planting and searching see them: whole, past all bounds."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from contracts.ids import NIL
from tests.functions.database_service.planting import Person

EXPORTS = "sinyal-test-exports"


class Elsewhere:
    """The three stores that are not PostgreSQL."""

    def __init__(self, clickhouse: dict[str, Any], redis_url: str, s3: Any) -> None:
        import clickhouse_connect
        from redis import Redis

        self.clickhouse = clickhouse_connect.get_client(
            host=clickhouse["host"],
            port=clickhouse["port"],
            username=clickhouse["username"],
            password=clickhouse["password"],
            database=clickhouse["database"],
            autogenerate_session_id=False,
            compress=False,
        )
        self.redis: Redis[bytes] = Redis.from_url(redis_url)
        self.s3 = s3

    def list_tables(self) -> dict[str, list[tuple[str, str]]]:
        """Columns with their types, by ClickHouse table."""
        rows = self.clickhouse.query(
            "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()"
        ).result_rows
        tables: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in rows:
            tables.setdefault(table, []).append((column, kind))
        return tables

    def plant(self, person: Person) -> None:
        """Three rows in every ClickHouse table, keys of each kind in Redis, an archive in S3."""
        for table, columns in self.list_tables().items():
            texts = [name for name, kind in columns if kind.endswith(("(String)", "String"))]
            ids = [name for name, kind in columns if kind == "UUID" and name != "tenant_id"]
            times = [name for name, kind in columns if kind.startswith("DateTime")]
            rows = [
                [
                    person.tenant_id,
                    *map(person.say, texts),
                    *(UUID(int=n + 1) for _ in ids),
                    *(datetime.now(UTC) for _ in times),
                ]
                for n in range(3)
            ]
            names = ["tenant_id", *texts, *ids, *times]
            self.clickhouse.insert(table, rows, column_names=names)
        prefix = f"{{{person.tenant_id}}}"
        self.redis.set(f"{prefix}:profile", person.email)
        self.redis.hset(f"{prefix}:session:1", mapping={"device": person.say("device")})
        self.redis.sadd(f"{prefix}:addresses", person.address)
        with self.redis.pipeline() as pipe:
            for n in range(1_200):  # more than one batch of a scan
                pipe.set(f"{prefix}:seen:{person.mark}:{n}", 1)
            pipe.execute()
        self.s3.put_object(
            Bucket=EXPORTS, Key=f"{person.tenant_id}/old.zip", Body=person.email.encode()
        )

    def plant_platform_rows(self) -> None:
        """Market data that is nobody's."""
        self.clickhouse.insert(
            "ticks", [[NIL, "EURUSD", "live", 1]],
            column_names=["tenant_id", "symbol", "stream", "tick_no"],
        )  # fmt: skip

    def dump(self) -> dict[str, str]:
        """Everything, as text by place: ``clickhouse/<table>``, ``redis/<key>``, ``s3/<key>``."""
        found = {
            f"clickhouse/{table}": self.clickhouse.raw_query(
                f"SELECT * FROM `{table}` ORDER BY ALL", fmt="JSONEachRow"
            ).decode()
            for table in self.list_tables()
        }
        for key in self.redis.scan_iter(count=1_000):
            found[f"redis/{key.decode()}"] = repr(self._read_key(key))
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=EXPORTS):
            for item in page.get("Contents", []):
                body = self.s3.get_object(Bucket=EXPORTS, Key=item["Key"])["Body"].read()
                found[f"s3/{item['Key']}"] = body.decode("latin-1")
        return found

    def _read_key(self, key: bytes) -> Any:
        kind: Any = self.redis.execute_command("TYPE", key)
        match kind:
            case b"string":
                return self.redis.get(key)
            case b"hash":
                return self.redis.hgetall(key)
            case b"set":
                return self.redis.smembers(key)
            case b"list":
                return self.redis.lrange(key, 0, -1)
            case b"zset":
                return self.redis.zrange(key, 0, -1, withscores=True)
            case other:
                raise TypeError(f"a key of an unknown kind: {other!r}")

    def search(self, needles: list[str]) -> set[str]:
        """Places in which a needle is, in the place's name or in what it holds."""
        return {
            place
            for place, text in self.dump().items()
            if any(needle in f"{place} {text}" for needle in needles)
        }

    def dump_tenant(self, tenant_id: UUID) -> dict[str, str]:
        """What the three stores hold of a tenant, line by line."""
        found = {}
        for place, text in self.dump().items():
            lines = [line for line in text.splitlines() if str(tenant_id) in f"{place} {line}"]
            if lines:
                found[place] = "\n".join(lines)
        return found
